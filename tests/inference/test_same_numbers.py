"""One run, four ways to its numbers: evaluate, the command, Python and ONNX."""

from functools import partial

import cv2
import numpy as np
import onnx
import onnxruntime
import polars as pl
import pytest

import aacsfnet
from aacsfnet import tables
from aacsfnet.cohort.merge import merge
from aacsfnet.config import validate
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.index import index
from aacsfnet.evaluation.evaluate import evaluate
from aacsfnet.faces.film import FilmExtractor
from aacsfnet.inference.onnx import export_onnx
from aacsfnet.inference.predict import predict
from aacsfnet.layout import Layout
from aacsfnet.models.pictures import resized
from aacsfnet.models.signs import face_signs, frame_pixels
from aacsfnet.training.train import train
from benchmarks.pays_people import shard_tables

pytestmark = pytest.mark.slow


CONTEXTS = ("person", "sequence")


def in_context(kind):
    """An experiment whose networks learn something of their context."""
    return {"train": {"epochs": 2, "learning_rate": 0.01, "network": {"context": kind}}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A whole small run on rendered people, and its frames as files, a folder a sequence."""
    folder = tmp_path_factory.mktemp("run")
    config = validate(
        {
            "results": str(folder / "results"),
            "index": {"demo": {"subjects": 6, "sequences": 1, "frames": 6, "seed": 21}},
            "prompts": {"keep": {"variants": 0}, "level": {"pictures": 0}},
            "merge": {"folds": 2, "validation_subjects": 1},
            "train": {"epochs": 1, "synthetic": False},
            "experiments": {"full": {}} | {kind: in_context(kind) for kind in CONTEXTS},
        }
    )
    layout = Layout(config)
    index(config, layout.index)
    for shard in layout.shards():
        shard_tables((config, shard))
    parts = [layout.stage("", name) for name in ("crop", "landmarks", "generate", "quality")]
    merged = layout.merged("").folder
    merge(config, layout.index, *parts, merged)
    for name in layout.experiments:
        own, folds = config.for_experiment(name), [layout.trained(name, 1, at) for at in range(2)]
        for fold, trained in enumerate(folds):
            train(own, merged, fold, 1, trained.folder)
        evaluate(own, [fold.predictions for fold in folds], layout.experiment(name).folder)
    dataset = open_dataset(config)
    for frame, path in tables.read(layout.index, ["frame_id", "path"]).iter_rows():
        file = folder / "frames" / f"{frame}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), dataset.picture(path)[..., ::-1])
    return folder, layout


def crops_of(layout):
    """Return the crops of the run, `frame_id` and pixels."""
    read = partial(tables.read, columns=["frame_id", "status", "image"])
    rows = pl.concat([read(layout.table("", "crop", shard)) for shard in layout.shards()])
    rows = rows.filter(status="ok")
    return rows["frame_id"].to_list(), [tables.decode_png(image) for image in rows["image"]]


@pytest.mark.parametrize("experiment", ["full", *CONTEXTS])
def test_the_command_gives_the_predictions_that_evaluate_counts(run, tmp_path, experiment):
    """In context too: each person has one recording here, of which all frames are seen."""
    folder, layout = run
    for fold in range(2):
        own = tables.read(layout.experiment(experiment).predictions).filter(fold=fold)
        given = [
            folder / "frames" / subject for subject in own["subject"].unique(maintain_order=True)
        ]
        output = tmp_path / f"{fold}.parquet"
        model = layout.trained(experiment, 1, fold).folder
        if experiment in CONTEXTS:
            assert aacsfnet.load_model(model).context_fusion.change.weight.abs().max() > 1e-3
        predict(given, model, output, people="largest", sequences=True, neutral="median")
        rows = pl.read_parquet(output).with_columns(
            frame_id=pl.col("path").str.extract(r"/frames/(.*)\.png$")
        )
        both = own.join(rows, on="frame_id", suffix="_command")
        assert len(both) == len(own) == 18
        expected = both["prediction"].clip(0, 16)
        np.testing.assert_allclose(both["prediction_command"], expected, atol=1e-5)
        for _, part in both.group_by("subject", "face"):
            scores = part["prediction_command"].to_numpy()
            trusted = ~part["abstained"].to_numpy()
            level = np.median(scores[trusted] if trusted.any() else scores)
            np.testing.assert_allclose(part["relative"], scores - level, atol=1e-5)


def test_python_the_command_and_onnx_agree(run, tmp_path):
    folder, layout = run
    experiment = layout.experiment("full").folder
    output = tmp_path / "t.parquet"
    predict([folder / "frames"], experiment, output, people="largest", sequences=True)
    rows = pl.read_parquet(output).with_columns(
        frame_id=pl.col("path").str.extract(r"/frames/(.*)\.png$")
    )
    predictor = aacsfnet.Predictor(experiment)
    names, crops = crops_of(layout)
    rows = pl.DataFrame({"frame_id": names}).join(rows, on="frame_id", maintain_order="left")
    np.testing.assert_allclose(rows["prediction"], predictor.predict(crops), atol=1e-4)

    export_onnx(experiment, tmp_path / "onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "onnx" / "model.onnx"), full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    pictures = np.stack([resized(crop, predictor.size, predictor.kept) for crop in crops])
    found = dict(
        zip(
            [each.name for each in session.get_outputs()],
            session.run(None, {"pictures": pictures}),
            strict=True,
        )
    )
    np.testing.assert_allclose(found["score"], rows["prediction"], atol=1e-4)
    np.testing.assert_allclose(found["low"], rows["low"], atol=1e-4)
    np.testing.assert_allclose(found["high"], rows["high"], atol=1e-4)
    judged = predictor.judge(crops)
    np.testing.assert_allclose(judged.prediction, rows["prediction"], atol=1e-4)


def test_signs_in_use_are_those_of_training(run):
    """What bounds are calibrated on is what a new face is measured by."""
    folder, layout = run
    predictor = aacsfnet.Predictor(layout.trained("full", 1, 0).folder)
    told = tables.read(layout.trained("full", 1, 0).predictions).head(6)
    with FilmExtractor(predictor.crop, predictor.landmarks, everyone=False) as extractor:
        pictures = [
            cv2.imread(str(folder / "frames" / f"{name}.png"))[..., ::-1].copy()
            for name in told["frame_id"]
        ]
        faces = [frame.faces[0] for frame in extractor.frames(pictures)]
    signs = face_signs(
        np.array([face.pose[:2] for face in faces]),
        np.array([frame_pixels(face.to_frame) for face in faces]),
        np.array([list(face.visible.values()) for face in faces], np.float64),
        side=faces[0].crop.shape[0],
        size=predictor.size,
        kept=predictor.kept,
    )
    for name, values in signs.items():
        expected = told[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        np.testing.assert_allclose(values, expected, atol=1e-3, err_msg=name)
