rule merge_shards:
    input:
        index=rules.index.output,
        crop=tables("crop"),
        landmarks=tables("landmarks"),
        generate=tables("generate"),
        quality=tables("quality"),
    output:
        images=LAYOUT.merged("{scope}").images,
        index=LAYOUT.merged("{scope}").index,
        splits=LAYOUT.merged("{scope}").splits,
    log:
        LAYOUT.log(LAYOUT.merged("{scope}").folder),
    benchmark:
        LAYOUT.benchmark(LAYOUT.merged("{scope}").folder)
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=settings("merge"),
        version=STAGES["merge"].version,
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
        images=merged("images"),
        index=merged("index"),
        splits=merged("splits"),
    output:
        weights=LAYOUT.trained("{experiment}", "{seed}", "{fold}").weights,
        description=LAYOUT.trained("{experiment}", "{seed}", "{fold}").description,
        features=LAYOUT.trained("{experiment}", "{seed}", "{fold}").features,
        history=LAYOUT.trained("{experiment}", "{seed}", "{fold}").history,
        predictions=LAYOUT.trained("{experiment}", "{seed}", "{fold}").predictions,
    log:
        LAYOUT.log(LAYOUT.trained("{experiment}", "{seed}", "{fold}").folder),
    benchmark:
        LAYOUT.benchmark(LAYOUT.trained("{experiment}", "{seed}", "{fold}").folder)
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=8000,
        runtime=1440,
        gpu=1,
    params:
        config=lambda wildcards: LAYOUT.settings_of_experiment(
            wildcards.experiment, "train"
        ),
        version=STAGES["train"].version,
        merge=subpath(input.images, parent=True),
        output=subpath(output[0], parent=True),
    message:
        "Training {wildcards.experiment}, seed {wildcards.seed}, fold {wildcards.fold}"
    shell:
        "python -m aacsfnet train --config {params.config:q} --merge {params.merge:q}"
        " --fold {wildcards.fold} --seed {wildcards.seed} --output {params.output:q}"
        " > {log:q} 2>&1"
