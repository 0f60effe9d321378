"""Examples in the documentation and in `--help`: commands parse, settings are valid ones."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from aacsfnet import cli
from aacsfnet.config import validate
from aacsfnet.config.config import EXPERIMENTS
from aacsfnet.config.layers import laid_over
from aacsfnet.stages import STAGES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
COMMANDS = typer.main.get_command(cli.app)


def commands():
    """Every command line of ours in a code block, or as an example of `--help`."""
    for page in PAGES:
        text = re.sub(r" *\\\n *", " ", page.read_text(encoding="utf-8"))
        for line in re.findall(r"^ *(?:\$ )?(aacsfnet .+)$", text, re.M):
            yield pytest.param(line, id=f"{page.name}: {line[:60]}")
    for command in cli.app.registered_commands:
        yield from re.findall(r"`(.*?)`", command.epilog)


def settings():
    for page in PAGES:
        blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
        for number, block in enumerate(blocks):
            yield pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_parses(line):
    _, name, *arguments = shlex.split(line, comments=True)
    COMMANDS.commands[name].make_context(name, arguments)  # raises where it does not


@pytest.mark.parametrize("block", list(settings()))
def test_a_settings_file_is_valid(block):
    validate(laid_over({"experiments": EXPERIMENTS}, yaml.safe_load(block)))


def test_a_target_that_a_page_names_is_a_stage():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"^ *snakemake ([a-z]+) ", text, re.M))
    assert named
    assert named <= set(STAGES)
