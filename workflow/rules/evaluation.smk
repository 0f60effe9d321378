rule evaluate_experiment:
    input:
        predictions=lambda wildcards: [
            f"{model}/predictions.parquet"
            for model in PLAN.models(wildcards.experiment)
        ],
    output:
        predictions=f"{RESULTS}experiments/{{experiment}}/predictions.parquet",
        metrics=report(
            f"{RESULTS}experiments/{{experiment}}/metrics.json",
            caption="../report/metrics.rst",
            category="Figures",
            labels={"experiment": "{experiment}"},
        ),
    log:
        f"{LOGS}experiments/{{experiment}}/evaluate.log",
    benchmark:
        f"{TIMES}experiments/{{experiment}}/evaluate.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=settings("evaluate"),
        version=STAGES["evaluate"].version,
        output=subpath(output.metrics, parent=True),
    message:
        "Evaluating {wildcards.experiment} on held-out subjects"
    shell:
        "python -m aacsfnet evaluate --config {params.config:q} --output {params.output:q}"
        " {input.predictions:q} > {log:q} 2>&1"


rule report:
    input:
        expand(
            f"{RESULTS}experiments/{{experiment}}/metrics.json",
            experiment=PLAN.experiments,
        ),
    output:
        report(
            f"{RESULTS}report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "faces, pictures, figures"},
        ),
    log:
        f"{LOGS}report.log",
    benchmark:
        f"{TIMES}report.tsv"
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        config=settings("report"),
        version=STAGES["report"].version,
        results=subpath(output[0], parent=True),
    message:
        "Writing the report"
    shell:
        "python -m aacsfnet report --config {params.config:q} --results {params.results:q}"
        " --output {output:q} > {log:q} 2>&1"
