rule crop_shard:
    input:
        index=needed("crop", lambda wildcards: LAYOUT.index),
    output:
        LAYOUT.table("{scope}", "crop", "{shard}"),
    log:
        LAYOUT.log(LAYOUT.table("{scope}", "crop", "{shard}")),
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=settings("crop"),
    message:
        "Cropping the faces of {wildcards.shard}"
    shell:
        "python -m aacsfnet crop --config {params.config:q} --index {input.index:q}"
        " --shard {wildcards.shard:q} --output {output:q} > {log:q} 2>&1"


rule landmarks_shard:
    input:
        first=first("landmarks"),
        crop=needed("landmarks", table("crop")),
    output:
        LAYOUT.table("{scope}", "landmarks", "{shard}"),
    log:
        LAYOUT.log(LAYOUT.table("{scope}", "landmarks", "{shard}")),
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=settings("landmarks"),
    message:
        "Finding landmarks in {wildcards.shard}"
    shell:
        "python -m aacsfnet landmarks --config {params.config:q} --crop {input.crop:q}"
        " --output {output:q} > {log:q} 2>&1"
