import polars as pl
import pytest
import torch

from aacsfnet import tables
from aacsfnet.cli import main
from aacsfnet.config import validate
from aacsfnet.datasets import Label
from aacsfnet.doctor.budget import budget, plan_in_words
from aacsfnet.errors import DataError

PSPI = Label("pspi", 0.0, 16.0, "observed expression")


def test_frames_and_pictures_are_counted_by_level():
    planned = [
        (0.0, "ok", "keep"),
        (0.0, "not_selected", None),
        (1.5, "ok", "keep"),
        (1.5, "ok", "person"),
        (2.0, "ok", "keep"),
        (16.0, "ok", "level"),  # made from a frame of label 0
        (3.0, "no_face", None),
    ]
    plan = pl.DataFrame(planned, ["label", "status", "kind"], orient="row")
    frames = pl.DataFrame({"label": [0.0, 0.0, 1.5, 2.0]})
    found = [(s.labels, s.frames, dict(s.pictures)) for s in budget(plan, frames, PSPI)]
    assert found == [
        ("0", 2, {"keep": 1}),
        ("up to 2", 2, {"keep": 2, "person": 1}),
        ("up to 16", 0, {"level": 1}),
    ]


def write_index(folder, *shards):
    rows = [
        {"frame_id": f"{shard}/1", "label": 2.0, "status": "ok", "shard": shard} for shard in shards
    ]
    tables.write(folder / "index.parquet", tables.frame("index", rows), "index")


def test_without_a_plan_the_stage_to_run_is_named(tmp_path):
    write_index(tmp_path, "s1.00")
    with pytest.raises(DataError, match="run the prompts stage first"):
        plan_in_words(validate({}), tmp_path)


def test_the_command_prints_pictures_and_time(run_shard, settings, tmp_path, capsys):
    planned = run_shard(settings(), "prompts")["prompts"]
    (tmp_path / "prompts").mkdir()
    # A person who was removed from the data set does not count.
    tables.write(tmp_path / "prompts" / "gone.00.parquet", planned, "prompts")
    (tmp_path / "prompts.parquet").rename(tmp_path / "prompts" / "s1.00.parquet")
    (tmp_path / "config.yaml").write_text("dataset: demo\n")
    with pytest.raises(SystemExit) as end:
        main(["plan", "--results", str(tmp_path), "--config", str(tmp_path / "config.yaml")])
    assert end.value.code == 0
    words = " ".join(capsys.readouterr().out.split())
    made = len(planned.filter(status="ok"))
    assert f"all 4 {made} 0 0 {made}" in words
    assert "about" in words


def test_each_experiments_own_plan_is_told(run_shard, settings, tmp_path):
    for number, variants in enumerate((1, 3)):
        keep = {"variants": variants, "neutral_share": 1.0}
        run_shard(settings(prompts={"keep": keep}), "prompts")
        folder = tmp_path / ("prompts", "experiments/many/prompts")[number]
        folder.mkdir(parents=True)
        (tmp_path / "prompts.parquet").rename(folder / "s1.00.parquet")
    write_index(tmp_path, "s1.00")
    experiments = {
        "full": {},
        "many": {"prompts": {"keep": {"variants": 3}}},
        "slow": {"generate": {"steps": 200}},
        "short": {"train": {"epochs": 1}},
        "unmade": {"landmarks": {"min_confidence": 0.6}},
    }
    words = plan_in_words(validate({"experiments": experiments}), tmp_path)
    full, many, slow, unmade = words.split("\n\n")
    assert unmade.endswith("experiments/unmade/prompts: no tables; run the prompts stage first")
    assert full.startswith("experiments full, short:")
    assert many.startswith("experiments many:")
    assert slow.startswith("experiments slow:")
    pictures = [int(part.splitlines()[-2].split()[-1]) for part in (full, many, slow)]
    assert pictures[1] == 3 * pictures[0] > 0
    assert pictures[2] == pictures[0]


@pytest.mark.parametrize(("wanted", "where"), [("auto", "with a GPU"), ("cpu", "cores")])
def test_the_time_told_is_that_of_the_device_asked_for(
    monkeypatch, tmp_path, capsys, wanted, where
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("AACSFNET_DEVICE", wanted)
    (tmp_path / "prompts").mkdir()
    row = {"frame_id": "a.00/1", "label": 2.0, "status": "ok", "kind": "keep"}
    tables.write(tmp_path / "prompts/a.00.parquet", tables.frame("prompts", [row]), "prompts")
    write_index(tmp_path, "a.00")
    with pytest.raises(SystemExit) as end:
        main(["plan", "--results", str(tmp_path), "--config", "{}"])
    assert end.value.code == 0
    assert where in capsys.readouterr().out
