"""What Snakemake makes of what the results say, after one change: numbers of jobs, of 25 people."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from aacsfnet.stages import SHARDED

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow

LABELS = [stage for stage in SHARDED if stage not in ("crop", "landmarks")]
#: With five folds; `all` is Snakemake's own.
AFTER = {"merge_shards": 1, "train_fold": 5, "evaluate_experiment": 1, "report": 1, "all": 1}


def shards(stages, count=1):
    return {f"{stage}_shard": count for stage in stages}


def dry_run(study, *options):
    """Return what a dry run says."""
    study.write()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(study.folder), "--configfile", f"{study.folder}/study.yaml"]
    command += ["--cores", "1", "--dry-run", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def planned(study, *options):
    """Return the jobs of a dry run by rule."""
    table = re.findall(r"^ ?(\w[\w ]*?) +(\d+) *$", dry_run(study, *options), re.MULTILINE)
    return {rule.replace(" ", "_"): int(count) for rule, count in table if rule != "total"}


def changed_nothing(study):
    return {}


def changed_a_picture(study):
    study.picture("s07", 1000)
    return {"index": 1} | shards(SHARDED) | AFTER


def changed_a_label(study):
    study.rows["s04"] = ("s04.png", "s04", 3)
    return {"index": 1} | shards(LABELS) | AFTER


def added_a_subject(study):
    study.add("s25", 2, 500)
    return {"index": 1} | shards(SHARDED) | AFTER


def removed_a_subject(study):
    del study.rows["s07"]
    return {"index": 1} | AFTER


def changed_settings_of_moved_results(study):
    study.settings["generate"] = {"strength": 0.4}
    return shards(["generate", "quality"], 25) | AFTER


def changed_index_and_late_settings(study):
    """The index runs before jobs that reach it only through results that stand."""
    study.add("s25", 2, 500)
    study.settings["landmarks"] = {"mode": "video", "min_confidence": 0.4}
    return {"index": 1, "crop_shard": 1} | shards(SHARDED[1:], 26) | AFTER


def lost_the_index_and_changed_figures(study):
    """Crops and all after them wait for no index that they do not need."""
    (study.folder / "results/manifest/index.parquet").unlink()
    study.settings["evaluate"] = {"bootstrap": 100}
    return {"index": 1, "evaluate_experiment": 1, "report": 1, "all": 1}


@pytest.mark.parametrize(
    "change",
    [
        changed_nothing,
        changed_a_picture,
        changed_a_label,
        added_a_subject,
        removed_a_subject,
        changed_settings_of_moved_results,
        changed_index_and_late_settings,
        lost_the_index_and_changed_figures,
    ],
)
def test_only_what_must_runs_again(study, change):
    expected = change(study)
    assert planned(study) == expected


def test_a_target_runs_no_later_stage(study):
    study.picture("s07", 1000)
    expected = {"index": 1, "crop_shard": 1, "landmarks_shard": 1, "landmarks": 1}
    assert planned(study, "landmarks") == expected


def test_a_forced_rule_runs_with_what_follows(study):
    expected = shards(["depth", "generate", "quality"], 25) | AFTER
    assert planned(study, "--forcerun", "depth_shard") == expected


@pytest.mark.parametrize("options", [["--verbose"], ["--workflow-profile", "none"]])
def test_jobs_are_told_one_by_one_to_who_asks(study, options):
    """With --verbose, and by loggers that always do: each with its message and its reason."""
    study.picture("s07", 1000)
    told = dry_run(study, *options, "landmarks")
    assert "Cropping the faces of s07.00" in told
    assert told.count("Reason: ") == 4


def test_else_a_dry_run_tells_how_many_jobs_of_a_rule_there_are_and_why(study):
    study.picture("s07", 1000)
    told = dry_run(study, "landmarks")
    assert "Cropping the faces of" not in told
    assert "crop_shard" in told.partition("Reasons:")[2]
