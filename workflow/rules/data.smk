rule index:
    input:
        needed("index", lambda wildcards: PLAN.sources),
    output:
        LAYOUT.index,
    log:
        LAYOUT.log(LAYOUT.index),
    conda:
        "../../envs/faces.yaml"
    resources:
        mem_mb=growing(2000 + PLAN.frames / 1000),  # 1.2 GB was seen at a million
        runtime=growing(60),
    params:
        config=settings("index"),
    message:
        "Listing the frames of the data set"
    shell:
        "python -m aacsfnet index --config {params.config:q} --output {output:q} > {log:q} 2>&1"
