"""The commands beside the workflow."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import Argument, Option

from aacsfnet.cli.app import Results, Settings, tool
from aacsfnet.config import load
from aacsfnet.errors import SettingsError


@tool("aacsfnet predict film.mp4 --model results/demo/experiments/full --output scores.csv")
def predict(
    paths: Annotated[list[str], Argument(help="Pictures, videos, folders or patterns.")],
    model: Annotated[Path, Option("--model", help="A fold's folder, or an experiment's.")],
    output: Annotated[
        Path | None, Option("--output", help="CSV, TSV or Parquet, by its suffix.")
    ] = None,
    people: Annotated[
        Literal["all", "largest"], Option("--people", help="Whose faces, of several people's.")
    ] = "all",
    mode: Annotated[
        Literal["still", "video"] | None,
        Option("--mode", help="Seek faces in each frame, or follow them; as trained, if not told."),
    ] = None,
    sequences: Annotated[
        bool, Option("--sequences", help="A folder's pictures are frames of one recording.")
    ] = False,
    exclude: Annotated[
        Path | None, Option("--exclude", help="Stretches to leave out, as the viewer saves them.")
    ] = None,
    neutral: Annotated[
        str | None,
        Option("--neutral", help="median or first:50: also give scores relative to it, no labels."),
    ] = None,
    device: Annotated[str | None, Option("--device", help="auto, cpu, cuda or cuda:1.")] = None,
) -> None:
    """Score the faces of pictures and videos: one row a face a frame."""
    from aacsfnet.inference.predict import predict as run

    run(
        paths,
        model,
        output,
        people=people,
        mode=mode,
        sequences=sequences,
        neutral=neutral,
        exclude=exclude,
        device=device,
    )


@tool("aacsfnet view scores.csv film.mp4")
def view(
    table: Annotated[Path, Argument(help="Written by aacsfnet predict.")],
    video: Annotated[Path, Argument(help="The film that was scored.")],
    output: Annotated[
        Path | None, Option("--output", help="The page; film.view.html, if not told.")
    ] = None,
    overlay: Annotated[
        Path | None, Option("--overlay", help="Also an MP4 with all of it drawn in.")
    ] = None,
    exclude: Annotated[
        Path | None, Option("--exclude", help="Stretches that are already left out.")
    ] = None,
    copy: Annotated[
        bool, Option("--copy", help="Play a copy that every browser plays; else only if needed.")
    ] = False,
    mesh: Annotated[
        bool, Option("--mesh/--no-mesh", help="Find the lines of the face, not its box alone.")
    ] = True,
) -> None:
    """Write a page that plays a film beside its scores, and on which stretches are left out."""
    from aacsfnet.inference.view.view import view as run

    written = run(table, video, output, overlay=overlay, exclude=exclude, copy=copy, mesh=mesh)
    if written.why_copied:
        typer.echo(f"{written.film}: the page plays this copy, as {written.why_copied}")
    typer.echo(f"{written.page}: open it in a browser")


@tool("aacsfnet explain --results results/demo")
def explain(
    results: Results,
    config: Settings = "config.yaml",
    experiment: Annotated[
        str | None, Option("--experiment", help="Whose networks; the first, if not told.")
    ] = None,
    frames: Annotated[
        int, Option("--frames", min=1, max=100, help="Of each held-out subject and level.")
    ] = 2,
    device: Annotated[str | None, Option("--device", help="auto, cpu, cuda or cuda:1.")] = None,
) -> None:
    """Tell which parts of the face the networks of a finished run read, on held-out people."""
    from aacsfnet.inference.explain.explain import explain as run

    written = run(load(config), results, experiment, frames=frames, device=device)
    typer.echo(f"{written}: the report shows it when it is written again")


@tool("aacsfnet doctor --config study.yaml")
def doctor(
    config: Settings = "config.yaml",
    profile: Annotated[
        Path | None,
        Option("--profile", help="A profile for Slurm: look at the cluster instead, by test jobs."),
    ] = None,
) -> None:
    """Look at the data set and this machine before a run: what is odd, and what to do about it."""
    from aacsfnet.doctor import diagnose, diagnose_cluster, render

    settings = load(config)
    findings = diagnose(settings) if profile is None else diagnose_cluster(settings, profile)
    typer.echo(render(findings))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(2)


@tool("aacsfnet audit predictions.csv")
def audit(
    file: Annotated[
        Path | None,
        Argument(help="Anybody's predictions: CSV, TSV, Parquet, NPZ or MAT; or --results."),
    ] = None,
    results: Annotated[
        Path | None, Option("--results", help="A data set's results folder instead of a file.")
    ] = None,
    column: Annotated[
        list[str], Option("--column", help="Which column is which: prediction=yhat.")
    ] = [],  # noqa: B006 typer copies it
    label: Annotated[str | None, Option("--label", help="What the labels are, e.g. pspi.")] = None,
    scale: Annotated[str | None, Option("--range", help="Their lowest and highest: 0:16.")] = None,
    claim: Annotated[
        list[str], Option("--claim", help="A figure that goes with the file: pcc=0.61,0.5,0.7.")
    ] = [],  # noqa: B006 typer copies it
    truth: Annotated[
        Path | None, Option("--truth", help="A table of the true labels by frame, to check by.")
    ] = None,
    output: Annotated[
        Path | None, Option("--output", help="A folder for the figures and findings.")
    ] = None,
    config: Annotated[
        str | None, Option("--config", help="Settings as a YAML file or as JSON text.")
    ] = None,
) -> None:
    """Check finished results, or anybody's predictions, for leaks, losses and flattery.

    With `--results results/demo`: leaks, lost rows, altered pictures. With a file: all of its
    figures, and what is wrong with it. Status 1 where anything is.
    """
    if (file is None) == (results is None):
        raise SettingsError("audit: name either a file of predictions or --results, a folder")
    if file is not None:
        from aacsfnet.evaluation.file_audit.command import audit_file
        from aacsfnet.report.file_audit_text import in_words, write

        found = audit_file(
            file, load(config) if config else None, column, label, scale, claim, truth
        )
        typer.echo(in_words(found))
        if output is not None:
            write(found, output)
        if found.findings:
            raise typer.Exit(1)
        return
    from aacsfnet.evaluation.audit import audit as run

    assert results is not None
    discrepancies = run(load(config or "config.yaml"), results)
    for discrepancy in discrepancies:
        typer.echo(discrepancy)
    typer.echo(f"{len(discrepancies)} discrepancies" if discrepancies else "nothing wrong found")
    if discrepancies:
        raise typer.Exit(1)


@tool("aacsfnet checklist --results results/demo --output checklist.md")
def checklist(
    results: Results,
    output: Annotated[
        Path | None, Option("--output", help="A Markdown file; printed if not told.")
    ] = None,
    config: Settings = "config.yaml",
) -> None:
    """Write a TRIPOD+AI checklist: what the run knows filled in, the rest left to the author."""
    from aacsfnet.files import replacing
    from aacsfnet.report.checklist import checklist as run

    text = run(load(config), results)
    if output is None:
        typer.echo(text)
        return
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


@tool("aacsfnet clean results/demo")
def clean(
    results: Annotated[Path, Argument(help="The data set's results folder.")],
    yes: Annotated[bool, Option("--yes", help="Remove it; else it is only told.")] = False,
    config: Settings = "config.yaml",
) -> None:
    """Tell what removed subjects and experiments and killed jobs left, and remove it."""
    from aacsfnet.cleaning import in_words, leftovers, remove

    settings = load(config)
    found = leftovers(settings, results)
    if yes:
        remove(settings, results, found)
    typer.echo(in_words(found, results, yes))


@tool(
    "aacsfnet fetch-models lllyasviel/control_v11f1p_sd15_depth /models/control-depth",
    name="fetch-models",
)
def fetch_models(
    repository: Annotated[str, Argument(help="owner/name on the Hugging Face hub.")],
    folder: Annotated[Path, Argument(help="For the model; settings then name it.")],
    revision: Annotated[str, Option(help="Branch, tag or commit.")] = "main",
) -> None:
    """Fetch a model once and lock its files by checksum: the only command that uses the network."""
    from aacsfnet.fetch import fetch

    lock = fetch(repository, folder, revision)
    typer.echo(f"{len(lock['sha256'])} files of {repository} at {lock['commit']} in {folder}")


@tool("aacsfnet plan --results results/demo")
def plan(results: Results, config: Settings = "config.yaml") -> None:
    """Sum up the pictures that the prompts stage has planned, before any is generated."""
    from aacsfnet.doctor.budget import plan_in_words

    typer.echo(plan_in_words(load(config), results))


@tool("aacsfnet calibrate --results results/demo")
def calibrate(results: Results, config: Settings = "config.yaml") -> None:
    """Tell which bounds of the gate keep labels apart on this data set's real frames."""
    from aacsfnet.augmentation.gate.calibration import calibrate as run
    from aacsfnet.augmentation.gate.calibration import in_words

    typer.echo(in_words(run(load(config), results)))


@tool("aacsfnet export results/demo/experiments/full model --to onnx")
def export(
    source: Annotated[Path, Argument(help="A model's or experiment's folder, or a table.")],
    folder: Annotated[Path, Argument(help="To write into; created if it does not exist.")],
    to: Annotated[
        Literal["pictures", "onnx", "huggingface"],
        Option("--to", help="A table's pictures; a model as ONNX, or as the hub takes it."),
    ] = "pictures",
) -> None:
    """Write a model for other programs, or unpack a table's pictures, one file each."""
    if to == "pictures":
        from aacsfnet.tables import export_pictures

        lines = [f"{export_pictures(source, folder)} pictures in {folder}"]
    elif to == "onnx":
        from aacsfnet.inference.onnx import export_onnx

        lines = export_onnx(source, folder)
    else:
        from aacsfnet.inference.hub import export_huggingface

        lines = export_huggingface(source, folder)
    for line in lines:
        typer.echo(line)
