"""The `typer` application: how a command is registered, and the options that many have."""

from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option

from aacsfnet.jobs import working_on

app = typer.Typer(
    name="aacsfnet",
    help="Automatic assessment of pain from faces. The workflow's stages, one command each.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",
)

STAGES_PANEL = "Stages, in flow order"
TOOLS_PANEL = "Beside the workflow"

Settings = Annotated[
    str, Option("--config", help="A YAML file, or the same settings as JSON text.")
]
Results = Annotated[Path, Option("--results", help="The data set's results folder.")]
Output = Annotated[Path, Option("--output", help="Written when all is done, never half.")]
IndexTable = Annotated[Path, Option("--index", help="The index table.")]
CropTable = Annotated[Path, Option("--crop", help="The crop table of a shard.")]
LandmarksTable = Annotated[Path, Option("--landmarks", help="The landmarks table of a shard.")]
DepthTable = Annotated[Path, Option("--depth", help="The depth table of a shard.")]
PromptsTable = Annotated[Path, Option("--prompts", help="The prompts table of a shard.")]
GenerateTable = Annotated[Path, Option("--generate", help="The generate table of a shard.")]


def stage(example: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a stage's command, with an example below its help."""

    def register(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def job(**arguments: Any) -> None:
            with working_on(command.__name__, arguments["output"]):
                command(**arguments)

        return app.command(rich_help_panel=STAGES_PANEL, epilog=f"Example: `{example}`")(job)

    return register


def shard_stage(command: Callable[..., Any]) -> Callable[..., Any]:
    """Register the command of a stage that works on one shard; its example is one of the demo's."""
    words = [f"aacsfnet {command.__name__}"]
    for option in list(signature(command).parameters)[:-1]:
        table = command.__name__ if option == "output" else option
        place = {"index": "results/demo/index.parquet", "shard": "s006.00"}.get(option)
        words.append(f"--{option} {place or f'results/demo/{table}/s006.00.parquet'}")
    return stage(" ".join(words))(command)


def tool(
    example: str, name: str | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a command beside the workflow, with an example below its help."""
    return app.command(name, rich_help_panel=TOOLS_PANEL, epilog=f"Example: `{example}`")
