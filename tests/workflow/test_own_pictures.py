"""A user's own manifest, with a photograph of a real face, through the whole workflow."""

import json

import cv2
import numpy as np
import polars as pl
import pytest
from skimage import data

from aacsfnet import tables
from aacsfnet.config import validate
from aacsfnet.errors import ModelFileError
from aacsfnet.evaluation.audit import audit
from aacsfnet.faces.geometry import level
from aacsfnet.landmark_sets import LEFT_EYE, RIGHT_EYE
from aacsfnet.models import load_model


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

    crops = pl.concat([tables.read(path) for path in (own.results / "crop").glob("*.parquet")])
    nobody = crops.filter(pl.col("frame_id").str.contains("nobody"))
    assert nobody["status"].to_list() == ["no_face"]
    assert nobody["reason"][0]
    assert (crops.filter(~pl.col("frame_id").str.contains("nobody"))["status"] == "ok").all()

    found = [tables.read(path) for path in (own.results / "landmarks").glob("*.parquet")]
    for row in pl.concat(found).filter(pl.col("status") == "ok").iter_rows(named=True):
        points = np.array(row["landmarks_px"])
        right_eye, left_eye = (points[list(eye)].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
        across = left_eye - right_eye
        assert abs(np.degrees(np.arctan2(across[1], across[0]))) < 4
        assert points[152, 1] > points[10, 1]  # the chin below the forehead
        assert level(points).shape == (478, 3)

    metrics = json.loads((own.results / "experiments" / "full" / "metrics.json").read_text())
    assert metrics["frames"] == 15
    report = (own.results / "report.html").read_text()
    assert "no_face" in report
    assert "person 3" not in report


@pytest.mark.slow
def test_a_given_split_and_a_person_without_a_usable_frame_go_through(study, tiny, photographs):
    """Two experiments over the same tables: the table's own split, and one person out at a time."""
    marks = dict(zip("01234", ("train", "train", "val", "test", "train"), strict=True))
    head, *rows = photographs.read_text().splitlines()
    lines = [f"{row},{marks[row.split('person ')[1][0]]}" for row in rows]
    lines += [f"pictures/lost-{frame}.jpg,nobody,1,test" for frame in range(3)]
    photographs.write_text("\n".join([f"{head},split", *lines]) + "\n")
    tiny["index"] = {"manifest": {"file": str(photographs)}}
    tiny["experiments"] = {
        "given": {"merge": {"folds": "given"}, "train": {"synthetic": False}},
        "loso": {"merge": {"folds": "loso"}, "train": {"synthetic": False}},
    }
    settings = tiny | {"dataset": "manifest"}
    own = study(settings)
    run = own.snakemake()
    assert run.status == 0, run.output

    given = pl.read_parquet(own.results / "experiments" / "given" / "predictions.parquet")
    assert set(given["subject"]) == {"person 3"}
    (model,) = (own.results / "experiments" / "given").glob("seed-*/fold-*")
    roles = json.loads((model / "config.json").read_text())
    assert "person 3" not in json.dumps(roles)

    folds = sorted((own.results / "experiments" / "loso").glob("seed-*/fold-*"))
    assert len(folds) == 6
    tested = [set(pl.read_parquet(fold / "predictions.parquet")["subject"]) for fold in folds]
    assert sorted(map(len, tested)) == [0, 1, 1, 1, 1, 1]
    assert set().union(*tested) == {f"person {number}" for number in range(5)}
    (skipped,) = [fold for fold, people in zip(folds, tested, strict=True) if not people]
    with pytest.raises(ModelFileError, match="none of its held-out subjects has a usable picture"):
        load_model(skipped)
    metrics = json.loads((own.results / "experiments" / "loso" / "metrics.json").read_text())
    assert metrics["subjects"] == 5
    assert audit(validate(settings), own.results) == []
    assert (own.results / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_pool_trains_everywhere_and_is_tested_nowhere(study, tiny, photographs):
    """Three ways of dealing folds over the same tables; the network also tells the measures."""
    marks = dict(zip("01234", ("train", "val", "test", "train", "pool"), strict=True))
    head, *rows = photographs.read_text().splitlines()
    lines = [f"{row},{marks[row.split('person ')[1][0]]}" for row in rows]
    photographs.write_text("\n".join([f"{head},split", *lines]) + "\n")
    tiny["index"] = {"manifest": {"file": str(photographs)}}
    tiny["experiments"] = {
        str(folds): {"merge": {"folds": folds}, "train": {"geometry_weight": 0.5}}
        for folds in (2, "loso", "given")
    }
    settings = tiny | {"dataset": "manifest"}
    own = study(settings)
    run = own.snakemake()
    assert run.status == 0, run.output
    for name, tested in (("2", "0123"), ("loso", "0123"), ("given", "2")):
        folder = own.results / "experiments" / name
        found = pl.read_parquet(folder / "predictions.parquet")
        assert set(found["subject"]) == {f"person {number}" for number in tested}
        for model in folder.glob("seed-*/fold-*"):
            roles = json.loads((model / "config.json").read_text())["training"]
            assert [roles[role]["pool"] > 0 for role in ("train", "validation", "test")] == [
                *(True, False, False)
            ]
    assert audit(validate(settings), own.results) == []
    assert "of them of the pool" in (own.results / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("path,subject,label,split\na.png,x,1,train\nb.png,x,1,test\n", "is in several splits"),
        ("path,subject,label,split\na.png,x,1,pool\nb.png,x,1,test\n", "is in the pool, but"),
        ("path,subject,pain\na.png,x,1\nb.png,y,1\n", "no column 'label'"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "no column"),
    ],
)
def test_a_table_that_cannot_be_used_is_told_before_the_first_job(study, tmp_path, content, words):
    data = content.encode() if isinstance(content, str) else content
    (tmp_path / "study.csv").write_bytes(data)
    index = {"manifest": {"file": str(tmp_path / "study.csv")}}
    folds = "given" if "several splits" in words else 4
    own = study({"dataset": "manifest", "index": index, "merge": {"folds": folds}})
    run = own.snakemake("--dry-run")
    assert run.status != 0
    assert words in run.output
    assert "Traceback" not in run.output
    assert not own.results.exists()
