"""A job that is killed for its memory says so in its log, which Snakemake shows."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "workflow" / "killed.sh"


def run(command, log):
    """Run a command as Snakemake runs that of a rule: in bash, its output in a quoted log."""
    text = f"set -euo pipefail; source '{SCRIPT}'; {command} > {log} 2>&1"
    return subprocess.run(["bash", "-c", text]).returncode


@pytest.mark.parametrize("name", ["index.log", "a log's.log"])
def test_a_killed_program_is_told_of_in_its_log(tmp_path, name):
    log = tmp_path / name
    quoted = "'" + str(log).replace("'", "'\"'\"'") + "'"
    assert run("sh -c 'echo so far; kill -9 $$'", quoted) == 137
    said = log.read_text().splitlines()
    assert said[0] == "so far"
    assert len(said) == 2
    assert "killed (signal 9)" in said[1]
    assert "memory" in said[1]


@pytest.mark.parametrize("status", [0, 1, 2])
def test_another_end_adds_nothing(tmp_path, status):
    log = tmp_path / "a.log"
    assert run(f"sh -c 'echo done; exit {status}'", log) == status
    assert log.read_text() == "done\n"


def test_the_command_of_every_rule_ends_in_its_log():
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    commands = re.findall(r'    shell:\n((?: +".*"\n)+)', rules)
    assert len(commands) == rules.count("    shell:\n") > 5
    assert all(command.rstrip().endswith(' > {log:q} 2>&1"') for command in commands)
