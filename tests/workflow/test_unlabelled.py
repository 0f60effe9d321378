"""A user's own table with labels missing, of rendered people, through the whole workflow."""

import json

import cv2
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.config import validate
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.audit import audit


@pytest.fixture(name="table")
def _table(tmp_path, tiny):
    """Five people of eight frames, every fourth without a label; who is in the pool has none."""
    demo = open_dataset(validate({"index": {"demo": tiny["index"]["demo"] | {"subjects": 5}}}))
    rows = demo.index().sort("subject", "sequence", "position")
    last = rows["subject"].max()
    lines = ["path,subject,label,sequence,frame,split"]
    for number, (row, picture) in enumerate(
        zip(rows.iter_rows(named=True), demo.pictures(rows), strict=True)
    ):
        name, pool = f"{number:03d}.png", row["subject"] == last
        cv2.imwrite(str(tmp_path / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        label = "" if pool or number % 4 == 1 else f"{row['label']:g}"
        told = (name, row["subject"], label, row["sequence"], str(row["position"]))
        lines.append(",".join([*told, "pool" if pool else ""]))
    (tmp_path / "study.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "study.csv"


def test_they_are_cropped_measured_and_seen_by_pretraining_alone(study, tiny, table):
    tiny["index"] = {"manifest": {"file": str(table), "unlabelled": "pretrain"}}
    tiny["train"] |= {"geometry_pretraining_steps": 3}
    tiny["experiments"] = {"full": {}}
    settings = tiny | {"dataset": "manifest"}
    own = study(settings)
    run = own.snakemake()
    assert run.status == 0, run.output
    assert audit(validate(settings), own.results) == []

    index = tables.read(own.results / "index.parquet")
    without = index.filter(status="unlabelled")
    pool = index["subject"].max()
    assert index["status"].value_counts(sort=True).rows() == [("ok", 24), ("unlabelled", 16)]
    assert without["label"].null_count() == 16
    for stage in ("crop", "landmarks", "prompts", "depth", "generate", "quality"):
        found = pl.concat([tables.read(path) for path in (own.results / stage).glob("*.parquet")])
        kept = found.join(without, on="frame_id", how="semi")
        assert set(kept["status"]) == {"unlabelled"}, stage
        assert len(kept) == 16, stage  # so nothing was planned or made from any
        if stage == "landmarks":
            assert not kept["measures"].null_count()

    merged = tables.read(own.results / "merge" / "index.parquet")
    assert merged.filter(status="unlabelled")["row"].null_count() == 0
    splits = pl.read_parquet(own.results / "merge" / "splits.parquet")
    for model in (own.results / "experiments" / "full").glob("seed-*/fold-*"):
        told = json.loads((model / "config.json").read_text())
        fold = splits.filter(pl.col("fold") == told["training"]["fold"])
        training = fold.filter(role="train")["subject"].to_list()
        assert pool in training
        expected = without.filter(pl.col("subject").is_in(training))
        assert told["pretraining"]["unlabelled"] == len(expected)
        tested = pl.read_parquet(model / "predictions.parquet")
        assert tested.join(without, on="frame_id", how="semi").is_empty()
    metrics = json.loads((own.results / "experiments" / "full" / "metrics.json").read_text())
    assert (metrics["frames"], metrics["subjects"]) == (24, 4)
    report = (own.results / "report.html").read_text()
    assert "16 pictures without a label, which pretraining on geometry alone may see" in report
    assert "served nothing else" in report


def test_what_nothing_would_see_and_whom_nobody_could_test_is_said_before_the_first_job(
    study, tiny, table
):
    tiny["index"] = {"manifest": {"file": str(table), "unlabelled": "pretrain"}}
    own = study(tiny | {"dataset": "manifest"})
    run = own.snakemake("--dry-run")
    assert run.status != 0
    assert "geometry_pretraining_steps is 0 in every experiment" in run.output
    tiny["train"] |= {"geometry_pretraining_steps": 3}
    table.write_text(table.read_text().replace(",pool\n", ",\n"))
    own = study(tiny | {"dataset": "manifest"})
    run = own.snakemake("--dry-run")
    assert run.status != 0
    assert "has a label, so no fold can test them; write pool" in run.output
    assert "Traceback" not in run.output
    assert not own.results.exists()
