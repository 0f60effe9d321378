"""Networks that see pictures in context, in use."""

import logging

import cv2
import numpy as np
import polars as pl
import pytest
import torch

import aacsfnet
from aacsfnet.errors import ModelFileError
from aacsfnet.faces.film import FilmExtractor
from aacsfnet.inference.context import WINDOW, Seen, in_context
from aacsfnet.inference.explain.explain import _check_alone
from aacsfnet.inference.hub import export_huggingface
from aacsfnet.inference.member import Look
from aacsfnet.inference.onnx import export_onnx
from aacsfnet.inference.predict import predict
from aacsfnet.layout import Trained
from aacsfnet.models.pictures import resized
from aacsfnet.models.reference import calmest

from .conftest import save
from .test_reliability import INTERVALS, crops, reliable

KINDS = ["person", "sequence"]


def seen(frame, face, measure=0.0, look=True):
    """A row called by its frame and face, whose features are its name."""
    name = 10 * frame + face
    own = Look([torch.tensor([float(name)])], {}) if look else None
    return Seen(name, frame, face, own, np.array([measure]))


def names(placed):
    """By row, the names of what stands beside it."""
    return {
        row: None
        if found is None
        else [None if it is None else int(it.features[0]) for it in found.others]
        for row, found in placed
    }


def test_neighbours_are_the_same_persons_in_frames_before_and_after():
    rows = [seen(0, 0), seen(0, 1), seen(1, 0), seen(2, 0, look=False), seen(2, 1), seen(3, 0)]
    assert names(in_context(rows, "sequence", 1)) == {
        0: [None, 10],
        1: [None, None],
        10: [0, None],
        20: None,
        21: [None, None],
        30: [None, None],
    }
    found = names(in_context([seen(at, 0) for at in range(6)], "sequence", 2))
    assert found[20] == [0, 10, 30, 40]
    assert found[50] == [30, 40, None, None]


def test_a_persons_reference_is_chosen_among_their_first_frames():
    """Nearest to the median of their measures; later frames and other people do not count."""
    rows = [seen(at, 0, abs(at - 100)) for at in range(WINDOW + 50)]
    rows += [seen(WINDOW + 50, 1, 3.0)]
    found = names(in_context(rows, "person", 2))
    expected = [10 * at for at in calmest(np.array([[abs(at - 100.0)] for at in range(WINDOW)]), 2)]
    assert all(found[10 * at] == expected for at in range(WINDOW + 50))
    assert found[10 * (WINDOW + 50) + 1] == [10 * (WINDOW + 50) + 1, None]


@pytest.mark.parametrize(("kind", "most"), [("person", WINDOW), ("sequence", 3)])
def test_rows_keep_their_order_and_few_wait(kind, most):
    taken = []

    def rows():
        for at in range(3 * WINDOW):
            taken.append(at)
            yield seen(at, 0, float(at % 7), look=at % 5 > 0)

    given = []
    for row, _ in in_context(rows(), kind, 2):
        given.append(row)
        assert len(taken) - len(given) <= most
    assert given == [10 * at for at in range(3 * WINDOW)]


@pytest.fixture(scope="module")
def frames(tmp_path_factory, photograph):
    """A face that turns paler, and a frame without one: as files of a folder."""
    folder = tmp_path_factory.mktemp("frames")
    pictures = [cv2.convertScaleAbs(photograph, alpha=1.0 - 0.06 * at) for at in range(7)]
    pictures[3] = np.full_like(photograph, 140)
    for at, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{at}.png"), picture[..., ::-1])
    return folder, pictures


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_gives_each_frame_its_context(tmp_path, frames, kind):
    folder, pictures = frames
    models = [save(tmp_path / f"seed-1/fold-{fold}", seed=fold, context=kind) for fold in (0, 1)]
    predict([folder], tmp_path, tmp_path / "t.parquet", sequences=True, device="cpu")
    told = pl.read_parquet(tmp_path / "t.parquet")
    assert told["frame"].to_list() == list(range(7))
    assert told["status"].to_list() == ["ok"] * 3 + ["no_face"] + ["ok"] * 3

    predictor = aacsfnet.Predictor(tmp_path)
    with FilmExtractor(predictor.crop, predictor.landmarks, everyone=True) as extractor:
        seen = list(extractor.frames(pictures))
    faces = {each.at: each.faces[0] for each in seen if each.faces}
    at = list(faces)
    fitted = np.stack([resized(faces[each].crop, 64, predictor.kept) for each in at])
    measures = np.array([list(faces[each].measures.values()) for each in at])
    calm = [at[each] for each in calmest(measures, 2)]
    away = (-2, -1, 1, 2)
    beside = [calm if kind == "person" else [each + step for step in away] for each in at]
    known = torch.tensor([[each in faces for each in places] for places in beside])
    scores = []
    for path in models:
        model = aacsfnet.load_model(path)
        with torch.no_grad():
            own = model.features(torch.from_numpy(fitted).permute(0, 3, 1, 2) / 255)
            of = dict(zip(at, own, strict=True))
            others = torch.stack([of.get(each, own[0]) for places in beside for each in places])
            scores.append(model.score(model.head(model.context_fusion(own, others, known))))
    expected = torch.stack(scores).clamp(0, 16).mean(dim=0)
    assert expected.std() > 1e-3
    found = told.filter(status="ok")["prediction"]
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_python_gives_what_the_command_gives(tmp_path, frames, kind):
    _, pictures = frames
    model = save(tmp_path / "model", context=kind)
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (400, 300))
    for picture in pictures:
        writer.write(picture[..., ::-1])
    writer.release()
    predict([film], model, tmp_path / "t.parquet", device="cpu", neutral="median")
    told = pl.read_parquet(tmp_path / "t.parquet")
    rows = list(aacsfnet.Predictor(model).video(film, neutral="median"))
    assert len(rows) == 7
    for name in ("prediction", "relative"):
        own = [row.get(name) for row in rows]
        assert own == pytest.approx(told[name].to_list(), abs=1e-5)


def test_a_film_is_read_at_the_spacing_that_the_network_was_trained_at(tmp_path, frames, caplog):
    film = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 25, (400, 300))
    for picture in frames[1]:
        writer.write(picture[..., ::-1])
    writer.release()
    found = {}
    for spacing_s in (None, 0.04, 0.08):
        model = save(tmp_path / f"{spacing_s}", context="sequence", spacing_s=spacing_s)
        caplog.clear()
        predict([film], model, tmp_path / "t.parquet", device="cpu")
        assert ("however far apart" in caplog.text) == (spacing_s is None)
        found[spacing_s] = pl.read_parquet(tmp_path / "t.parquet")["prediction"]
    assert found[0.04].equals(found[None])  # the film's own
    assert not found[0.08].equals(found[None])
    together = tmp_path / "two"
    for fold, spacing_s in enumerate((0.04, 0.08)):
        save(together / f"seed-1/fold-{fold}", context="sequence", spacing_s=spacing_s)
    with pytest.raises(ModelFileError, match="its context"):
        aacsfnet.Predictor(together)


def test_a_picture_by_itself_is_scored_without_and_says_so(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    model = save(tmp_path / "seed-1/fold-0", context="person")
    reliable(tmp_path, model)
    predictor = aacsfnet.Predictor(tmp_path)
    judged = predictor.judge(crops(3))
    predictor.judge(crops(1))
    assert caplog.text.count("a picture by itself is scored without") == 1
    plain = aacsfnet.Predictor(save(tmp_path / "plain"))
    np.testing.assert_allclose(judged.prediction, plain.predict(crops(3)), atol=1e-4)
    assert np.isnan([judged.low, judged.high, judged.doubt]).all()
    assert judged.why == [None] * 3


def test_in_context_scores_have_their_intervals_and_reasons(tmp_path, frames):
    """What is known of reliability was found in context, and holds there."""
    model = save(tmp_path / "seed-1/fold-0", context="sequence")
    reliable(tmp_path, model)
    predict([frames[0]], tmp_path, tmp_path / "t.parquet", sequences=True, device="cpu")
    rows = pl.read_parquet(tmp_path / "t.parquet").filter(status="ok")
    low, high = INTERVALS.bounds(rows["prediction"].to_numpy().astype(float))
    np.testing.assert_allclose(rows["low"], low, rtol=1e-5)
    np.testing.assert_allclose(rows["high"], high, rtol=1e-5)
    assert rows["abstained"].to_list() == [False] * 6


def test_networks_of_different_contexts_have_no_mean(tmp_path):
    save(tmp_path / "seed-1/fold-0", context="person")
    save(tmp_path / "seed-1/fold-1", context="sequence")
    with pytest.raises(ModelFileError, match="its context"):
        aacsfnet.Predictor(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_takes_single_pictures_is_refused(tmp_path, kind, caplog):
    folder = save(tmp_path / "model", context=kind)
    words = rf"sees pictures in context \({kind}\)"
    with pytest.raises(ModelFileError, match=words):
        export_onnx(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelFileError, match=words):
        _check_alone([Trained(folder)])
    _check_alone([Trained(save(tmp_path / "plain"))])
    assert "scored without" not in caplog.text


def test_a_model_card_says_what_the_network_sees(tmp_path):
    for kind, words in (("person", "person's own reference"), ("sequence", "frames before")):
        export_huggingface(save(tmp_path / kind, context=kind), tmp_path / f"{kind}-out")
        card = " ".join((tmp_path / f"{kind}-out" / "README.md").read_text().split())
        assert words in card
        assert "predictor.video(" in card
        assert aacsfnet.Predictor(tmp_path / f"{kind}-out").context == (kind, 2)
    export_huggingface(save(tmp_path / "plain"), tmp_path / "plain-out")
    assert "context" not in (tmp_path / "plain-out" / "README.md").read_text()


def timed(times, face=0, absent=()):
    """Rows of one face, a frame at each time, called by 10 times their frame."""
    return [
        seen(at, face, look=at not in absent)._replace(time_s=time) for at, time in enumerate(times)
    ]


def frames_beside(rows, frames, spacing_s, of):
    found = names(in_context(rows, "sequence", frames, spacing_s))[10 * of]
    return [None if each is None else each // 10 for each in found]


def test_neighbours_lie_as_far_apart_in_time_as_in_training():
    rows = timed([at / 25 for at in range(40)])
    assert frames_beside(rows, 2, 0.2, 20) == [10, 15, 25, 30]
    assert frames_beside(rows, 1, 0.2, 3) == [0, 8]  # half a step too near is near enough
    assert frames_beside(rows, 1, 0.2, 2) == [None, 7]
    assert frames_beside(rows, 2, 0.2, 35) == [25, 30, 39, None]
    assert frames_beside(rows, 2, 0.04, 20) == [18, 19, 21, 22]
    assert frames_beside(rows, 2, None, 20) == [18, 19, 21, 22]


def test_a_film_that_is_slower_than_training_gives_its_own_frames():
    rows = timed([at / 2 for at in range(9)])
    assert frames_beside(rows, 2, 0.2, 4) == [2, 3, 5, 6]
    assert frames_beside(rows, 2, 0.2, 8) == [6, 7, None, None]


def test_uneven_times_give_the_nearest_frames_none_twice():
    times = [0.0, 0.05, 0.2, 0.21, 0.39, 0.9, 1.0, 1.1]
    assert frames_beside(timed(times), 2, 0.2, 0) == [None, None, 2, 4]
    assert frames_beside(timed(times), 2, 0.2, 4) == [0, 2, 5, 6]


def test_of_a_frame_without_the_face_nothing_is_known_and_no_other_stands_in():
    rows = timed([at / 25 for at in range(40)], absent={15})
    assert frames_beside(rows, 2, 0.2, 20) == [10, None, 25, 30]


def test_rows_of_a_spaced_context_keep_their_order_and_few_wait_though_faces_are_rare():
    taken, given = [], []
    chooser_rows = timed([at / 25 for at in range(3000)], absent=set(range(10, 2900)))

    def rows():
        for each in chooser_rows:
            taken.append(each.row)
            yield each

    for row, _ in in_context(rows(), "sequence", 2, 0.2):
        given.append(row)
        assert len(taken) - len(given) <= 12
    assert given == taken
