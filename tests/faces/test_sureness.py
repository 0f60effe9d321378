"""Which faces somebody should look at."""

import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.faces.sureness import in_words, least_sure


def test_the_lowest_score_of_a_face_counts_and_unusable_rows_do_not():
    seen = {f"visible_{region}": 0.9 for region in tables.REGIONS}
    rows = [
        {"frame_id": "sure", "confidence": 0.95, "presence": 1.0},
        {"frame_id": "unsure", "confidence": 0.6, "presence": 1.0},
        {"frame_id": "followed", "presence": 0.85},
        {"frame_id": "covered", "confidence": 0.9, "presence": 1.0, "visible_mouth": 0.0,
         "visible_nose": 0.1},
        {"frame_id": "none", "status": "no_face"},
    ]  # fmt: skip
    table = tables.frame("crop", [{"status": "ok"} | seen | row for row in rows])
    found = least_sure(table)
    assert found["frame_id"].to_list() == ["covered", "unsure", "followed", "sure"]
    assert found["sureness"].to_list() == pytest.approx([0.475, 0.6, 0.85, 0.9])
    assert least_sure(table, 2)["frame_id"].to_list() == ["covered", "unsure"]
    assert in_words(found.row(1, named=True)) == "detector 0.60, mesh 1.00, seen 0.90"


def test_tables_without_scores_are_shown_last():
    table = tables.frame("crop", [{"frame_id": name, "status": "ok"} for name in ("b", "a")])
    assert least_sure(table)["frame_id"].to_list() == ["a", "b"]
    assert table.select(pl.col("confidence").is_null().all()).item()
