"""A shard that the index does not have is an error; one that was planned and is empty is not."""

import json

import cv2
import numpy as np
import pytest

from aacsfnet import tables
from aacsfnet.cli import main
from aacsfnet.config import validate
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.index import index
from aacsfnet.errors import DataError
from aacsfnet.faces.crop import crop

SMALL = {"subjects": 3, "sequences": 1, "frames": 2}
DEMO = {"dataset": "demo", "index": {"demo": SMALL, "packed_frames": 0}}


@pytest.mark.parametrize("shard", ["s01.00", "s001.01", "", "S001.00"])
def test_an_unknown_shard_is_one_clear_error(tmp_path, shard):
    config = validate(DEMO)
    index(config, tmp_path / "index.parquet")
    with pytest.raises(DataError, match=r"no shard '.*'; it has 3: s001\.00 to s003\.00"):
        crop(config, tmp_path / "index.parquet", shard, tmp_path / "crop.parquet")
    assert not (tmp_path / "crop.parquet").exists()


def test_the_command_says_so_in_one_line(tmp_path, capsys):
    index(validate(DEMO), tmp_path / "index.parquet")
    command = ["crop", "--config", json.dumps(DEMO), "--index", str(tmp_path / "index.parquet")]
    with pytest.raises(SystemExit) as left:
        main([*command, "--shard", "s01.00", "--output", str(tmp_path / "crop.parquet")])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no shard 's01.00'" in line


def test_a_planned_shard_may_be_empty(tmp_path):
    codec = cv2.VideoWriter_fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(tmp_path / "v.mp4"), cv2.CAP_FFMPEG, codec, 25.0, (64, 64))
    for _ in range(5):
        writer.write(np.full((64, 64, 3), 90, np.uint8))
    writer.release()
    (tmp_path / "m.csv").write_text("path,subject,label\nv.mp4,p,1\n")
    settings = {"manifest": {"file": str(tmp_path / "m.csv")}, "shard_frames": 4}
    settings["videos"] = {"rate": 25.0, "seconds": 1.0}
    config = validate({"dataset": "manifest", "index": settings})
    assert open_dataset(config).subjects() == {"p": 25}
    index(config, tmp_path / "index.parquet")
    crop(config, tmp_path / "index.parquet", "p.06", tmp_path / "crop.parquet")
    assert len(tables.read(tmp_path / "crop.parquet")) == 0
