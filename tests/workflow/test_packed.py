"""What a person's tables hold does not depend on who shares the shard."""

import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.stages import SHARDED
from aacsfnet.workflow import Workflow
from tests.pretended_run import jobs_of, work

#: With it some people's prompts are longer than two chunks of tokens, and others' are not.
LONG = "{anatomy}, face of {subject}, {level}, {head}, " + "soft even light, plain grey wall, " * 6


def run(folder, packed):
    plan = Workflow(
        {
            "results": str(folder),
            "index": {
                "demo": {"subjects": 4, "sequences": 1, "frames": 8, "picture_size": 192},
                "packed_frames": packed,
            },
            "prompts": {
                "template": LONG,
                "overflow": "chunk",
                "keep": {"variants": 1, "neutral_share": 0.5},
                "level": {"pictures": 1, "levels": [6, 12]},
            },
            "generate": {"steps": 3, "batch": 4},
        }
    )
    for stage, _, wildcards in jobs_of(plan):
        if stage in ("index", *SHARDED):
            work(plan, stage, wildcards)
    return plan


def joined(plan, stage):
    parts = [tables.read(path) for path in plan.tables(stage)]
    key = "image_id" if "image_id" in parts[0].columns else "frame_id"
    return pl.concat(parts).sort(key)


@pytest.mark.slow
def test_tables_are_the_same_however_people_share_shards(tmp_path):
    alone, together = run(tmp_path / "alone", 0), run(tmp_path / "together", 16)
    assert len(alone.shards) == 4
    assert len(together.shards) < 4
    for stage in SHARDED:
        assert joined(together, stage).equals(joined(alone, stage)), stage
    assert (joined(alone, "generate")["status"] == "ok").sum() > 8
    longest = joined(alone, "prompts").group_by("subject").agg(pl.col("tokens").max() > 152)
    assert longest["tokens"].n_unique() == 2
