import numpy as np
import pytest

from aacsfnet import table
from aacsfnet.augmentation.quality import faults, quality
from aacsfnet.config import Quality, validate

GOOD = {
    "landmark_error": 0.01,
    "eyes_error": 0.01,
    "brows_error": 0.01,
    "mouth_error": 0.01,
    "measure_difference": 0.01,
    "worst_measure": "lid_opening",
    "sharpness": 0.9,
    "brightness": 0.5,
    "contrast": 0.2,
    "source_difference": 0.05,
    "variant_difference": None,
}


def test_a_good_picture_has_no_fault():
    assert faults(GOOD, Quality()) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("landmark_error", 1.0, "landmark error 1.000 > "),
        ("eyes_error", 1.0, "eyes error"),
        ("brows_error", 1.0, "brows error"),
        ("mouth_error", 1.0, "mouth error"),
        ("measure_difference", 1.0, "lid_opening differs by"),
        ("sharpness", 0.0, "sharpness 0.000 < "),
        ("brightness", 0.0, "brightness"),
        ("brightness", 1.0, "brightness"),
        ("contrast", 0.0, "contrast"),
        ("source_difference", 0.0, "differs from its source"),
        ("variant_difference", 0.0, "differs from another variant"),
    ],
)
def test_each_fault_is_named(name, value, words):
    (fault,) = faults(GOOD | {name: value}, Quality())
    assert words in fault


def test_all_faults_are_named():
    bad = GOOD | {"landmark_error": 1.0, "brightness": 0.0, "contrast": 0.0}
    assert len(faults(bad, Quality())) == 3


def test_without_a_face_only_the_look_is_judged():
    look = {name: GOOD[name] for name in list(GOOD)[6:]}
    assert faults(look, Quality()) == ["no face found"]


@pytest.fixture
def judged(shard, face_picture):
    """The gate's verdict on pictures that are known: the source, itself shifted, flat, noise."""

    def judge(*pictures):
        rows = [
            {
                "image_id": f"s1/a/0000#{variant}",
                "frame_id": "s1/a/0000",
                "subject": "s1",
                "sequence": "a",
                "label": 0.0,
                "status": "ok",
                "reason": "",
                "source_frame_id": "s1/a/0000",
                "variant": variant,
                "image": table.encode_png(picture, "x.png"),
            }
            for variant, picture in enumerate(pictures)
        ]
        table.write(shard["generate"], table.frame("generate", rows), "generate")
        paths = (shard[name] for name in ("crop", "landmarks", "generate", "quality"))
        quality(validate({}), *paths)
        return table.read(shard["quality"]).rows(named=True)

    return judge


def test_a_slightly_changed_source_passes(judged, face_picture):
    brighter = np.clip(face_picture.astype(int) + 6, 0, 255).astype(np.uint8)
    (row,) = judged(brighter)
    assert (row["status"], row["reason"]) == ("ok", "")
    assert row["landmark_error"] < 0.02


def test_copies_are_refused(judged, face_picture):
    brighter = np.clip(face_picture.astype(int) + 6, 0, 255).astype(np.uint8)
    copy, first, second = judged(face_picture, brighter, brighter)
    assert "differs from its source by 0.000" in copy["reason"]
    assert first["status"] == "ok"
    assert "differs from another variant by 0.000" in second["reason"]


def test_a_shifted_face_is_refused(judged, face_picture):
    (row,) = judged(np.roll(face_picture, 8, axis=1))
    assert row["status"] == "rejected"
    assert "landmark error" in row["reason"]
    # The shift cancels in the measures, which are taken relative to the eyes.
    assert row["measure_difference"] < 0.06


def test_blank_and_noise_are_refused(judged, face_picture):
    blank = np.full_like(face_picture, 128)
    noise = np.random.default_rng(0).integers(0, 255, face_picture.shape, dtype=np.uint8)
    for row in judged(blank, noise):
        assert row["status"] == "rejected"
        assert "no face found" in row["reason"]
    assert "contrast" in judged(blank)[0]["reason"]
