# One target a stage: `snakemake depth` runs the flow up to the depth maps of every shard.
# `index` and `report` are single jobs and need no target of their own.


rule crop:
    input:
        PLAN.tables("crop"),
    message:
        "Every face is cropped"


rule landmarks:
    input:
        PLAN.tables("landmarks"),
    message:
        "Every crop has its landmarks"


rule prompts:
    input:
        PLAN.tables("prompts"),
    message:
        "Every prompt is written"


rule depth:
    input:
        PLAN.tables("depth"),
    message:
        "Every picture to make has its depth map"


rule generate:
    input:
        PLAN.tables("generate"),
    message:
        "Every picture is generated"


rule quality:
    input:
        PLAN.tables("quality"),
    message:
        "Every generated picture is judged"


rule merge:
    input:
        [LAYOUT.merged(scope).splits for scope in LAYOUT.scopes("merge")],
    message:
        "The pictures for training are merged"


rule train:
    input:
        [
            trained.weights
            for experiment in PLAN.experiments
            for trained in PLAN.trained(experiment)
        ],
    message:
        "Every model is trained"


rule evaluate:
    input:
        [LAYOUT.experiment(name).metrics for name in PLAN.experiments],
    message:
        "Every experiment is evaluated"
