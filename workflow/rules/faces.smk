rule crop_shard:
    input:
        index=rules.index.output,
    output:
        f"{RESULTS}{{scope}}crop/{{shard}}.parquet",
    log:
        f"{LOGS}{{scope}}crop/{{shard}}.log",
    benchmark:
        f"{TIMES}{{scope}}crop/{{shard}}.tsv"
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=settings("crop"),
        version=STAGES["crop"].version,
    message:
        "Cropping the faces of {wildcards.shard}"
    shell:
        "python -m aacsfnet crop --config {params.config:q} --index {input.index:q}"
        " --shard {wildcards.shard:q} --output {output:q} > {log:q} 2>&1"


rule landmarks_shard:
    input:
        crop=table("crop"),
    output:
        f"{RESULTS}{{scope}}landmarks/{{shard}}.parquet",
    log:
        f"{LOGS}{{scope}}landmarks/{{shard}}.log",
    benchmark:
        f"{TIMES}{{scope}}landmarks/{{shard}}.tsv"
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=settings("landmarks"),
        version=STAGES["landmarks"].version,
    message:
        "Finding landmarks in {wildcards.shard}"
    shell:
        "python -m aacsfnet landmarks --config {params.config:q} --crop {input.crop:q}"
        " --output {output:q} > {log:q} 2>&1"
