rule prompts_shard:
    input:
        index=needed("prompts", lambda wildcards: LAYOUT.index),
        landmarks=needed("prompts", table("landmarks")),
    output:
        LAYOUT.table("{scope}", "prompts", "{shard}"),
    log:
        LAYOUT.log(LAYOUT.table("{scope}", "prompts", "{shard}")),
    conda:
        "../../envs/diffusion.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=settings("prompts"),
    message:
        "Writing prompts for {wildcards.shard}"
    shell:
        "python -m aacsfnet prompts --config {params.config:q} --index {input.index:q}"
        " --landmarks {input.landmarks:q} --output {output:q} > {log:q} 2>&1"


rule depth_shard:
    input:
        first=first("depth"),
        crop=needed("depth", table("crop")),
        landmarks=needed("depth", table("landmarks")),
        prompts=needed("depth", table("prompts")),
    output:
        LAYOUT.table("{scope}", "depth", "{shard}"),
    log:
        LAYOUT.log(LAYOUT.table("{scope}", "depth", "{shard}")),
    conda:
        "../../envs/diffusion.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        config=settings("depth"),
    message:
        "Drawing depth maps for the pictures of {wildcards.shard}"
    shell:
        "python -m aacsfnet depth --config {params.config:q} --crop {input.crop:q}"
        " --landmarks {input.landmarks:q} --prompts {input.prompts:q} --output {output:q} > {log:q} 2>&1"


rule generate_shard:
    input:
        first=first("generate"),
        crop=needed("generate", table("crop")),
        landmarks=needed("generate", table("landmarks")),
        depth=needed("generate", table("depth")),
        prompts=needed("generate", table("prompts")),
    output:
        LAYOUT.table("{scope}", "generate", "{shard}"),
    log:
        LAYOUT.log(LAYOUT.table("{scope}", "generate", "{shard}")),
    conda:
        "../../envs/diffusion.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60 + 660 * PLAN.fullness),
        gpu=1,
    params:
        config=settings("generate"),
    message:
        "Generating pictures from {wildcards.shard}"
    shell:
        "python -m aacsfnet generate --config {params.config:q} --crop {input.crop:q}"
        " --landmarks {input.landmarks:q} --depth {input.depth:q} --prompts {input.prompts:q}"
        " --output {output:q} > {log:q} 2>&1"


rule quality_shard:
    input:
        index=needed("quality", lambda wildcards: LAYOUT.index),
        crop=needed("quality", table("crop")),
        landmarks=needed("quality", table("landmarks")),
        generate=needed("quality", table("generate")),
    output:
        LAYOUT.table("{scope}", "quality", "{shard}"),
    log:
        LAYOUT.log(LAYOUT.table("{scope}", "quality", "{shard}")),
    conda:
        "../../envs/quality.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        config=settings("quality"),
    message:
        "Judging the pictures generated from {wildcards.shard}"
    shell:
        "python -m aacsfnet quality --config {params.config:q} --index {input.index:q}"
        " --crop {input.crop:q} --landmarks {input.landmarks:q} --generate {input.generate:q}"
        " --output {output:q} > {log:q} 2>&1"
