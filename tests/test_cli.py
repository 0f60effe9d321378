import subprocess
import sys

import pytest
from typer.testing import CliRunner

from aacsfnet import cli
from aacsfnet.stages import STAGES


def test_every_stage_has_a_command_in_flow_order():
    names = [command.name or command.callback.__name__ for command in cli.app.registered_commands]
    assert names[: len(STAGES)] == list(STAGES)


@pytest.mark.parametrize(
    "command", [item.name or item.callback.__name__ for item in cli.app.registered_commands]
)
def test_help_shows_an_example_that_parses(command):
    result = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "400"})
    assert result.exit_code == 0
    assert f"Example: aacsfnet {command}" in result.output.replace("`", "")


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "aacsfnet", *arguments], capture_output=True, text=True
    )


def test_bad_settings_are_one_line_and_status_2(tmp_path):
    done = run("index", "--config", '{"crop": {"sizes": 1}}', "--output", str(tmp_path / "i"))
    assert done.returncode == 2
    assert done.stderr == "aacsfnet: config: crop.sizes: unknown key; did you mean 'size'?\n"


def test_a_missing_table_is_one_line_and_status_2(tmp_path):
    done = run("landmarks", "--config", "{}", "--crop", "none.parquet", "--output", "x.parquet")
    assert done.returncode == 2
    assert done.stderr.startswith("aacsfnet: none.parquet: no such table")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("cli workflow tables", "torch mediapipe diffusers cv2 lightning matplotlib scipy.stats"),
        ("evaluation.evaluate report.report", "torch mediapipe diffusers timm scipy.stats"),
        (
            "datasets.index faces.crop faces.landmarks augmentation.prompts.stage"
            " augmentation.depth.stage augmentation.diffusion.generate augmentation.gate.quality"
            " cohort.merge",
            "torch mediapipe diffusers transformers timm matplotlib scipy.stats",
        ),
    ],
)
def test_modules_start_without_libraries_that_they_may_not_need(modules, heavy):
    """Each is a job's whole start, or part of every start of Snakemake."""
    imports = "; ".join(f"import aacsfnet.{name}" for name in modules.split())
    code = f"import sys; {imports}; print(sorted({set(heavy.split())!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_model_libraries_are_told_to_stay_offline():
    code = (
        "import os, sys; sys.argv = ['aacsfnet', '--version'];"
        "import atexit; atexit.register(lambda: print(os.environ['HF_HUB_OFFLINE']));"
        "from aacsfnet.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "1"
