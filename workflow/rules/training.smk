rule merge_shards:
    input:
        index=rules.index.output,
        crop=tables("crop"),
        generate=tables("generate"),
        quality=tables("quality"),
    output:
        images=f"{RESULTS}{{scope}}merge/images.npy",
        index=f"{RESULTS}{{scope}}merge/index.parquet",
        splits=f"{RESULTS}{{scope}}merge/splits.parquet",
    log:
        f"{LOGS}{{scope}}merge.log",
    benchmark:
        f"{TIMES}{{scope}}merge.tsv"
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        config=settings("merge"),
        version=STAGES["merge"].version,
        crop=folder("crop"),
        generate=folder("generate"),
        quality=folder("quality"),
        output=subpath(output.images, parent=True),
    message:
        "Merging real and accepted pictures, and dealing subjects into folds"
    shell:
        "python -m aacsfnet merge --config {params.config:q} --index {input.index:q}"
        " --crop {params.crop:q} --generate {params.generate:q} --quality {params.quality:q}"
        " --output {params.output:q} > {log:q} 2>&1"


rule train_fold:
    input:
        images=merged("images.npy"),
        index=merged("index.parquet"),
        splits=merged("splits.parquet"),
    output:
        multiext(
            f"{RESULTS}experiments/{{experiment}}/seed-{{seed}}/fold-{{fold}}/",
            "model.safetensors",
            "config.json",
            "history.csv",
            "predictions.parquet",
        ),
    log:
        f"{LOGS}experiments/{{experiment}}/seed-{{seed}}/fold-{{fold}}.log",
    benchmark:
        f"{TIMES}experiments/{{experiment}}/seed-{{seed}}/fold-{{fold}}.tsv"
    conda:
        "../../envs/training.yaml"
    resources:
        mem_mb=8000,
        runtime=1440,
        gpu=1,
    params:
        config=lambda wildcards: PLAN.settings(
            f"experiments/{wildcards.experiment}/", "train"
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
