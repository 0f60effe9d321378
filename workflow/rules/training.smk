rule merge_shards:
    input:
        index=needed("merge", lambda wildcards: LAYOUT.index),
        crop=needed("merge", tables("crop")),
        landmarks=needed("merge", tables("landmarks")),
        generate=needed("merge", tables("generate")),
        quality=needed("merge", tables("quality")),
    output:
        images=LAYOUT.merged("{scope}").images,
        index=LAYOUT.merged("{scope}").index,
        splits=LAYOUT.merged("{scope}").splits,
    log:
        LAYOUT.log(LAYOUT.merged("{scope}").folder),
    conda:
        "../../envs/faces.yaml"
    threads: 4
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        config=settings("merge"),
        crop=folder("crop"),
        landmarks=folder("landmarks"),
        generate=folder("generate"),
        quality=folder("quality"),
        output=subpath(output.images, parent=True),
    message:
        "Merging real and accepted pictures, and assigning subjects to folds"
    shell:
        "python -m aacsfnet merge --config {params.config:q} --index {input.index:q}"
        " --crop {params.crop:q} --landmarks {params.landmarks:q} --generate {params.generate:q}"
        " --quality {params.quality:q} --output {params.output:q} > {log:q} 2>&1"


rule train_fold:
    input:
        first=first("train"),
        images=needed("train", merged("images")),
        index=needed("train", merged("index")),
        splits=needed("train", merged("splits")),
    output:
        weights=LAYOUT.trained("{experiment}", "{seed}", "{fold}").weights,
        description=LAYOUT.trained("{experiment}", "{seed}", "{fold}").description,
        features=LAYOUT.trained("{experiment}", "{seed}", "{fold}").features,
        history=LAYOUT.trained("{experiment}", "{seed}", "{fold}").history,
        predictions=LAYOUT.trained("{experiment}", "{seed}", "{fold}").predictions,
    log:
        LAYOUT.log(LAYOUT.trained("{experiment}", "{seed}", "{fold}").folder),
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(1440),
        gpu=1,
    params:
        config=lambda wildcards: LAYOUT.settings_of_experiment(
            wildcards.experiment, "train"
        ),
        merge=subpath(input.images, parent=True),
        output=subpath(output[0], parent=True),
    message:
        "Training {wildcards.experiment}, seed {wildcards.seed}, fold {wildcards.fold}"
    shell:
        "python -m aacsfnet train --config {params.config:q} --merge {params.merge:q}"
        " --fold {wildcards.fold} --seed {wildcards.seed} --output {params.output:q}"
        " > {log:q} 2>&1"
