import json
import os
import signal
import time
from pathlib import Path

import polars as pl
import pytest
import yaml

from aacsfnet import tables
from aacsfnet.workflow import Workflow

ROOT = Path(__file__).parent.parent.parent

SHARD_STAGES = ["crop", "landmarks", "prompts", "depth", "generate", "quality"]


def test_every_frame_has_a_row_in_every_table(finished):
    index = tables.read(finished.results / "index.parquet")
    assert index.height == 4 * 8
    for stage in SHARD_STAGES:
        written = [
            tables.read(path) for path in sorted((finished.results / stage).glob("*.parquet"))
        ]
        rows = pl.concat(written)
        assert set(rows["frame_id"]) == set(index["frame_id"]), stage
        assert len(written) == index["shard"].n_unique() == 3


def test_the_run_ends_with_figures_and_a_report(finished):
    for experiment in ("full", "no-generation"):
        folder = finished.results / "experiments" / experiment
        metrics = json.loads((folder / "metrics.json").read_text())
        assert metrics["frames"] == 4 * 8
        assert metrics["subjects"] == 4
        assert {"value", "low", "high"} <= set(metrics["pooled"]["mae"])
        assert set(metrics["baselines"]) == {"zero", "mean", "geometry"}
    page = (finished.results / "report.html").read_text()
    assert "<html" in page
    assert "not felt pain" in page


def test_the_same_command_again_has_nothing_to_do(finished):
    run = finished.snakemake()
    assert run.status == 0
    assert "Nothing to be done" in run.output


@pytest.mark.parametrize(
    ("block", "key", "value", "first"),
    [
        ("prompts", "negative", "cartoon", "prompts"),
        ("generate", "strength", 0.4, "generate"),
        ("quality", "max_landmark_error", 0.01, "quality"),
        ("evaluate", "bootstrap", 300, "evaluate"),
        ("crop", "margin", 0.3, "crop"),
    ],
)
def test_a_changed_key_reruns_its_stage_and_what_follows(finished, tiny, block, key, value, first):
    tiny.setdefault(block, {})[key] = value
    changed = finished.folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(tiny))
    run = finished.snakemake("--dry-run", "--configfile", str(changed))
    ran = {rule.split("_")[0] for rule in run.jobs} - {"all"}
    after = {
        "crop": {*SHARD_STAGES, "merge", "train", "evaluate", "report"},
        "prompts": {*SHARD_STAGES[2:], "merge", "train", "evaluate", "report"},
        "generate": {"generate", "quality", "merge", "train", "evaluate", "report"},
        "quality": {"quality", "merge", "train", "evaluate", "report"},
        "evaluate": {"evaluate", "report"},
    }
    assert ran == after[first]


def test_snakemake_writes_its_own_report(finished):
    run = finished.snakemake("--report", "snakemake-report.zip")
    assert run.status == 0, run.output
    assert (finished.folder / "snakemake-report.zip").stat().st_size > 10_000


def test_one_target_a_stage(study, tiny):
    demo = study(tiny)
    for stage in [*SHARD_STAGES, "index", "merge", "train", "evaluate", "report"]:
        run = demo.snakemake("--dry-run", stage)
        assert run.status == 0, run.output
        assert any(rule.split("_")[0] == stage for rule in run.jobs)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"prompts": {"varants": 1}},
            "prompts.varants: unknown key; did you mean 'prompts.keep.variants'?",
        ),
        ({"crop": {"size": -3}}, "crop.size = -3"),
        ({"merge": {"folds": 50}}, "merge.folds = 50"),
        ({"merge": {"folds": 2, "validation_subjects": 6}}, "merge.validation_subjects = 6"),
        ({"dataset": "manifest"}, "index.manifest.file"),
    ],
)
def test_a_bad_setting_stops_the_run_before_the_first_job(study, settings, words):
    bad = study(settings)
    run = bad.snakemake()
    assert run.status != 0
    assert words in run.output
    assert "Traceback" not in run.output
    assert not bad.results.exists()


def test_a_second_run_in_the_same_folder_is_refused(study, tiny, monkeypatch):
    demo = study(tiny)
    monkeypatch.chdir(demo.folder)
    with Workflow(tiny).hold():
        run = demo.snakemake("index")
    assert run.status != 0
    assert "another run works here" in run.output
    assert demo.snakemake("index").status == 0


@pytest.mark.parametrize("profile", ["gpu", "slurm"])
def test_a_profile_can_be_read(study, tiny, profile):
    run = study(tiny).snakemake("--dry-run", "--workflow-profile", str(ROOT / "profiles" / profile))
    assert run.status == 0, run.output
    assert run.jobs["train_fold"] == 4


def test_a_large_study_is_planned_from_names_alone(study, tmp_path):
    rows = []
    for sequence in range(200):
        subject = sequence % 25
        frames = 242 if sequence < 199 else 48_398 - 199 * 242
        rows += [
            f"{subject:03d}/{sequence}/{frame:03d}.png,{subject:03d},{sequence},{frame},0"
            for frame in range(frames)
        ]
    assert len(rows) == 48_398
    (tmp_path / "names.csv").write_text("path,subject,sequence,frame,label\n" + "\n".join(rows))
    large = study(
        {
            "dataset": "manifest",
            "index": {"manifest": {"file": str(tmp_path / "names.csv")}},
            "merge": {"folds": "loso"},
        }
    )
    run = large.snakemake("--dry-run", "--quiet", "rules")
    assert run.status == 0, run.output
    assert run.jobs["train_fold"] == 25 * len(Workflow({}).experiments)
    assert sum(run.jobs.values()) <= 1500


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(study, tiny):
    demo = study(tiny)
    process = demo.start("landmarks")
    while not list((demo.results / "crop").glob("*.parquet")):
        time.sleep(0.1)
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    cropped = {path: path.stat().st_mtime_ns for path in (demo.results / "crop").glob("*.parquet")}
    run = demo.snakemake("landmarks")
    assert run.status == 0, run.output
    assert len(list((demo.results / "landmarks").glob("*.parquet"))) == 4
    kept = [path for path, time_ns in cropped.items() if path.stat().st_mtime_ns == time_ns]
    assert len(kept) >= len(cropped) - 2  # at most the jobs in flight run again


@pytest.mark.slow
def test_tables_are_the_same_to_the_byte_again_and_with_more_cores(study, tiny):
    demo = study(tiny)
    found = []
    for cores in ("1", "2", "2"):
        run = demo.snakemake("--cores", cores, "--forceall", "landmarks")
        assert run.status == 0, run.output
        assert sum(run.jobs.values()) == 1 + 4 + 4 + 1
        written = [demo.results / "index.parquet"]
        for stage in ("crop", "landmarks"):
            written += sorted((demo.results / stage).glob("*.parquet"))
        found.append({path.name + path.parent.name: path.read_bytes() for path in written})
    assert len(found[0]) == 9
    assert found[0] == found[1] == found[2]
