import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import aacsfnet
from aacsfnet.config import Crop
from aacsfnet.errors import DataError, ModelFileError
from aacsfnet.models.folder import save_skipped

from .conftest import LABEL, save


def crops(count, size):
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8))


def test_scores_are_those_of_the_network_whatever_the_batch(folder):
    predictor = aacsfnet.Predictor(folder)
    pictures = crops(5, 64)
    with torch.no_grad():
        stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
        expected = aacsfnet.load_model(folder)(stacked).numpy()
    for batch in (1, 2, 64):
        found = predictor.predict(pictures, clip=False, batch=batch)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_scores_are_clipped_to_the_labels_range_unless_told_otherwise(folder):
    predictor = aacsfnet.Predictor(folder)
    free, clipped = (predictor.predict(crops(5, 64), clip=clip) for clip in (False, True))
    assert ((free < 0) | (free > 16)).any()
    np.testing.assert_array_equal(clipped, free.clip(0, 16))


def test_crops_of_another_size_are_averaged_down(folder):
    predictor = aacsfnet.Predictor(folder)
    small = crops(2, 64)
    large = [each.repeat(2, 0).repeat(2, 1) for each in small]
    np.testing.assert_allclose(predictor.predict(large), predictor.predict(small), atol=1e-4)


def test_the_middle_is_used_as_in_training(folder):
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"kept": 1.0', '"kept": 0.5'))
    wide = crops(1, 128)[0]
    middle = wide[32:96, 32:96]
    found = aacsfnet.Predictor(folder).predict([wide])
    path.write_text(path.read_text().replace('"kept": 0.5', '"kept": 1.0'))
    np.testing.assert_allclose(found, aacsfnet.Predictor(folder).predict([middle]), atol=1e-4)


def test_each_face_of_a_picture_has_its_row(folder):
    data = pytest.importorskip("skimage.data", reason="scikit-image carries the photograph")
    from aacsfnet.faces import FaceExtractor

    predictor = aacsfnet.Predictor(folder)
    picture = data.astronaut()
    cv2.imwrite(str(folder / "a.png"), picture[..., ::-1])
    (row,) = predictor.picture(picture, clip=False)
    left, top, right, bottom = row.box_xyxy
    assert left < 203 < 246 < right  # the irises
    assert top < 101 < bottom
    assert row.prediction == predictor.predict([row.face.crop], clip=False)[0]
    assert predictor.picture(folder / "a.png", clip=False)[0].prediction == row.prediction

    both = predictor.picture(np.hstack([picture, picture[:, ::-1]]))
    assert len(both) == 2
    assert {each.box_xyxy[0] > 512 for each in both} == {True, False}

    assert predictor.picture(np.full((200, 200, 3), 140, np.uint8)) == []
    with FaceExtractor(Crop(size=64, margin=0.6)) as extractor:
        (wide,) = predictor.picture(picture, extractor=extractor)
    assert wide.face.crop.shape == (64, 64, 3)
    with pytest.raises(DataError, match="no file"):
        predictor.picture(folder / "gone.png")


def test_faces_are_found_as_in_training(tmp_path):
    data = pytest.importorskip("skimage.data", reason="scikit-image carries the photograph")
    folder = save(tmp_path, crop={"size": 64, "margin": 0.6}, landmarks={"mode": "video"})
    predictor = aacsfnet.Predictor(folder)
    assert predictor.crop == Crop(size=64, margin=0.6)
    (row,) = predictor.picture(data.astronaut())
    assert row.face.crop.shape == (64, 64, 3)


def test_an_experiments_folder_gives_the_mean_of_its_networks(tmp_path):
    folds = [save(tmp_path / f"seed-1/fold-{fold}", seed=fold) for fold in range(3)]
    save_skipped(tmp_path / "seed-1" / "fold-3", "nobody to test")
    pictures = crops(4, 64)
    each = np.array([aacsfnet.Predictor(fold).predict(pictures) for fold in folds])
    assert len(np.unique(each)) > 4
    mean = aacsfnet.Predictor(tmp_path).predict(pictures)
    np.testing.assert_allclose(mean, each.mean(axis=0), atol=1e-4)


def test_networks_that_have_no_mean_are_refused(tmp_path):
    save(tmp_path / "a/seed-1/fold-0")
    save(tmp_path / "a/seed-1/fold-1", crop={"margin": 0.5})
    save(tmp_path / "b/seed-1/fold-0")
    save(tmp_path / "b/seed-1/fold-1", label=LABEL | {"high": 10.0})
    save_skipped(tmp_path / "c" / "seed-1" / "fold-0", "nobody to test")
    (tmp_path / "d").mkdir()
    for name, words in (("a", "differ"), ("b", "differ"), ("c", "none of its 1"), ("d", "no such")):
        with pytest.raises(ModelFileError, match=words):
            aacsfnet.Predictor(tmp_path / name)


def test_a_folder_without_settings_of_faces_is_told_of(folder, caplog):
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"faces"', '"other"'))
    assert aacsfnet.Predictor(folder).crop == Crop()
    assert "defaults are taken" in caplog.text


def test_loading_and_scoring_crops_needs_no_mediapipe(folder):
    code = (
        "import sys, numpy as np, aacsfnet\n"
        "predictor = aacsfnet.Predictor(sys.argv[1])\n"
        "predictor.predict([np.zeros((64, 64, 3), np.uint8)])\n"
        "assert not {'mediapipe', 'aacsfnet.faces.find'} & sys.modules.keys()\n"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, cwd=root)


def test_no_pictures_give_no_scores(folder):
    assert aacsfnet.Predictor(folder).predict([]).shape == (0,)


@pytest.mark.parametrize(
    "picture",
    [np.zeros((64, 64), np.uint8), np.zeros((64, 48, 3), np.uint8), np.zeros((64, 64, 3), float)],
)
def test_what_is_no_crop_is_refused(folder, picture):
    with pytest.raises(DataError, match="expected uint8"):
        aacsfnet.Predictor(folder).predict([picture])


@pytest.mark.parametrize(
    "use",
    [
        "aacsfnet.load_model(folder)",
        "aacsfnet.Predictor(folder).predict([np.zeros((64, 64, 3), np.uint8)])",
    ],
)
def test_a_trained_network_is_loaded_without_what_made_it(folder, use):
    code = (
        f"import sys, numpy as np, aacsfnet; folder = sys.argv[1]; {use};"
        "made = {'polars', 'pyarrow', 'mediapipe', 'diffusers', 'transformers', 'lightning'};"
        "print(sorted(made & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
