import numpy as np
import pytest

from aacsfnet import tables
from aacsfnet.augmentation.gate.quality import faults, quality
from aacsfnet.config import Quality, validate
from aacsfnet.errors import SettingsError

GOOD = {
    "landmark_error": 0.01,
    "eyes_error": 0.01,
    "brows_error": 0.01,
    "mouth_error": 0.01,
    "shift": 0.05,
    "measure_difference": 0.01,
    "possible_difference": 0.02,
    "worst_measure": "lid_opening",
    "corner_difference": 0.01,
    "pspi_difference": 0.4,
    "pose_difference": 1.0,
    "faces": 1,
    "identity": 0.8,
    "sharpness": 0.9,
    "brightness": 0.5,
    "contrast": 0.2,
    "source_difference": 0.05,
    "variant_difference": None,
}


#: No look at the picture's face is among these.
LOOK = (
    *("faces", "identity", "sharpness", "brightness", "contrast"),
    *("source_difference", "variant_difference"),
)
BOUND = 0.05


def test_a_good_picture_has_no_fault():
    assert faults(GOOD, Quality(), BOUND) == []
    unknown = GOOD | {"pspi_difference": None, "identity": None}
    assert faults(unknown, Quality(), BOUND) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("landmark_error", 1.0, "landmark error 1.000 > "),
        ("shift", 0.2, "face moved by 0.200 > 0.15"),
        ("eyes_error", 1.0, "eyes error"),
        ("brows_error", 1.0, "brows error"),
        ("mouth_error", 1.0, "mouth error"),
        ("measure_difference", 0.051, "measures differ by 0.051 > 0.05"),
        ("possible_difference", 0.081, "lid_opening may differ by 0.081 > 0.08"),
        ("corner_difference", 0.025, "mouth's corners moved by 0.025 > 0.022"),
        ("pspi_difference", 9.0, "estimated PSPI differs by 9.000 > 3"),
        ("pose_difference", 30.0, "head turned by 30.000 > 10"),
        ("faces", 2, "2 faces found"),
        ("identity", 0.1, "identity 0.100 < 0.5"),
        ("sharpness", 0.0, "sharpness 0.000 < "),
        ("brightness", 0.0, "brightness"),
        ("brightness", 1.0, "brightness"),
        ("contrast", 0.0, "contrast"),
        ("source_difference", 0.0, "differs from its source"),
        ("variant_difference", 0.0, "differs from another variant"),
    ],
)
def test_each_fault_is_named(name, value, words):
    limits = Quality(identity_model="folder", min_identity=0.5)
    (fault,) = faults(GOOD | {name: value}, limits, BOUND)
    assert words in fault


def test_all_faults_are_named():
    bad = GOOD | {"landmark_error": 1.0, "brightness": 0.0, "contrast": 0.0}
    assert len(faults(bad, Quality(), BOUND)) == 3


def test_without_a_face_only_the_look_is_judged():
    look = {name: GOOD[name] for name in LOOK}
    assert faults(look, Quality(), BOUND) == ["no face found"]


def test_a_threshold_of_identity_needs_a_model():
    with pytest.raises(SettingsError, match="min_identity needs identity_model"):
        validate({"quality": {"min_identity": 0.5}})


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
                "image": tables.encode_png(picture, "x.png"),
            }
            for variant, picture in enumerate(pictures)
        ]
        tables.write(shard["generate"], tables.frame("generate", rows), "generate")
        paths = (shard[name] for name in ("crop", "landmarks", "generate", "quality"))
        quality(validate({}), *paths)
        return tables.read(shard["quality"]).rows(named=True)

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
    assert "face moved by" in row["reason"]
    # The shift cancels in the measures, which are taken relative to the eyes.
    assert row["measure_difference"] < 0.06


def test_blank_and_noise_are_refused(judged, face_picture):
    blank = np.full_like(face_picture, 128)
    noise = np.random.default_rng(0).integers(0, 255, face_picture.shape, dtype=np.uint8)
    for row in judged(blank, noise):
        assert row["status"] == "rejected"
        assert "no face found" in row["reason"]
    assert "contrast" in judged(blank)[0]["reason"]


def test_two_faces_are_refused(judged, face_picture):
    import cv2

    half = cv2.resize(face_picture, (64, 64), interpolation=cv2.INTER_AREA)
    two = np.zeros_like(face_picture)
    two[32:96, :64] = two[32:96, 64:] = half
    (row,) = judged(two)
    assert row["faces"] == 2
    assert "2 faces found" in row["reason"]


def test_every_score_is_a_column_with_a_value(judged, face_picture):
    brighter = np.clip(face_picture.astype(int) + 6, 0, 255).astype(np.uint8)
    first, second = judged(brighter, np.clip(brighter.astype(int) + 6, 0, 255).astype(np.uint8))
    # Four frames are too few to tell a usual face, and there is no model of identity.
    unknown = {"pspi_change", "pspi_difference", "identity"}
    assert {name for name, value in second.items() if value is None} == unknown
    assert first["pose_difference"] < 3
    assert first["possible_difference"] > first["measure_difference"]


def test_the_bound_and_its_pairs_are_noted(judged, face_picture, shard):
    judged(face_picture)
    noted = tables.notes(shard["quality"])["calibration"]
    assert noted["bound"] == 0.06  # six pairs tell nothing, so the settings' bound holds
    pairs = noted["pairs"]["measure_difference"]
    assert (pairs["same_pairs"], pairs["different_pairs"]) == (1, 5)
    assert noted["pairs"]["pspi_difference"]["same_pairs"] == 0
