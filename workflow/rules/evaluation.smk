rule evaluate_experiment:
    input:
        first=first("evaluate"),
        index=needed("evaluate", lambda wildcards: LAYOUT.index),
        merged=needed("evaluate", merged("index")),
        splits=needed("evaluate", merged("splits")),
        predictions=needed(
            "evaluate",
            lambda wildcards: [
                trained.predictions for trained in PLAN.trained(wildcards.experiment)
            ],
        ),
    output:
        predictions=LAYOUT.experiment("{experiment}").predictions,
        reliability=LAYOUT.experiment("{experiment}").reliability,
        metrics=report(
            LAYOUT.experiment("{experiment}").metrics,
            caption="../report/metrics.rst",
            category="Figures",
            labels={"experiment": "{experiment}"},
        ),
    log:
        LAYOUT.log(LAYOUT.experiment("{experiment}").folder / "evaluate"),
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=settings("evaluate"),
        merge=subpath(input.merged, parent=True),
        output=subpath(output.metrics, parent=True),
    message:
        "Evaluating {wildcards.experiment} on held-out subjects"
    shell:
        "python -m aacsfnet evaluate --config {params.config:q} --index {input.index:q}"
        " --merge {params.merge:q} --output {params.output:q} {input.predictions:q} > {log:q} 2>&1"


rule report:
    input:
        first=first("report"),
        metrics=needed(
            "report",
            lambda wildcards: [
                LAYOUT.experiment(name).metrics for name in PLAN.experiments
            ],
        ),
    output:
        page=report(
            LAYOUT.report,
            caption="../report/report.rst",
            category="Report",
            labels={"page": "faces, pictures, figures"},
        ),
        files=directory(LAYOUT.report_files.folder),
    log:
        LAYOUT.log(LAYOUT.report),
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=settings("report"),
        results=subpath(output.page, parent=True),
    message:
        "Writing the report"
    shell:
        "python -m aacsfnet report --config {params.config:q} --results {params.results:q}"
        " --output {output.page:q} > {log:q} 2>&1"
