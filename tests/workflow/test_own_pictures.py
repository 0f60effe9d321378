"""A user's own manifest, with a photograph of a real face, through the whole workflow."""

import json

import cv2
import numpy as np
import polars as pl
import pytest
from skimage import data

from aacsfnet import table
from aacsfnet.faces.geometry import level


@pytest.fixture
def photographs(tmp_path):
    """Five people (one photograph, varied), and a picture with nobody in it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    face = cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR)
    lines = ["path,subject,label"]
    for subject in range(5):
        for frame in range(3):
            turn = cv2.getRotationMatrix2D((224, 110), 10 * subject - 20, 1 - 0.1 * frame)
            varied = cv2.warpAffine(face, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
            name = f"pictures/{subject}-{frame}.jpg"
            cv2.imwrite(str(tmp_path / name), varied)
            lines.append(f"{name},person {subject},{frame}")
    nobody = np.full((300, 400, 3), 127, np.uint8)
    cv2.circle(nobody, (200, 150), 60, (40, 90, 200), -1)
    cv2.imwrite(str(folder / "nobody.png"), nobody)
    lines.append("pictures/nobody.png,person 0,0")
    (tmp_path / "study.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "study.csv"


def test_a_real_face_is_cropped_upright_and_a_picture_without_one_keeps_its_row(
    study, tiny, photographs
):
    tiny["index"] = {"manifest": {"file": str(photographs)}}
    own = study(tiny | {"dataset": "manifest"})
    run = own.snakemake()
    assert run.status == 0, run.output

    crops = pl.concat([table.read(path) for path in (own.results / "crop").glob("*.parquet")])
    nobody = crops.filter(pl.col("frame_id").str.contains("nobody"))
    assert nobody["status"].to_list() == ["no_face"]
    assert nobody["reason"][0]
    assert (crops.filter(~pl.col("frame_id").str.contains("nobody"))["status"] == "ok").all()

    found = [table.read(path) for path in (own.results / "landmarks").glob("*.parquet")]
    for row in pl.concat(found).filter(pl.col("status") == "ok").iter_rows(named=True):
        points = np.array(row["landmarks_px"])
        right_eye, left_eye = points[[33, 133]].mean(axis=0), points[[362, 263]].mean(axis=0)
        across = left_eye - right_eye
        assert abs(np.degrees(np.arctan2(across[1], across[0]))) < 4
        assert points[152, 1] > points[10, 1]  # the chin below the forehead
        assert level(points).shape == (478, 3)

    metrics = json.loads((own.results / "experiments" / "full" / "metrics.json").read_text())
    assert metrics["frames"] == 15
    report = (own.results / "report.html").read_text()
    assert "no_face" in report
    assert "person 3" not in report
