import numpy as np
import pytest

from aacsfnet import tables
from aacsfnet.augmentation.edit.start import finished_of, start_of
from aacsfnet.augmentation.gate.judge import faults
from aacsfnet.augmentation.gate.quality import quality, witness_of
from aacsfnet.config import Quality, validate
from aacsfnet.errors import SettingsError
from aacsfnet.faces.geometry import measure_all
from aacsfnet.facs import PSPI_UNITS

KEEP = {"kind": "keep", "units": None, "source_units": None}
GOOD = KEEP | {
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
    "pixel_distance": 0.1,
    "shape_distance": 0.02,
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
        ("pixel_distance", 0.6, "face differs in its pixels by 0.600 > 0.4"),
        ("shape_distance", 0.1, "face differs in its shape by 0.100 > 0.07"),
        ("measure_difference", 0.051, "measures differ by 0.051 > 0.05"),
        ("possible_difference", 0.081, "lid_opening (au7 or au43) may differ by 0.081 > 0.08"),
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
    look = KEEP | {name: GOOD[name] for name in LOOK}
    assert faults(look, Quality(), BOUND) == ["no face found"]


@pytest.mark.parametrize("name", ["min_identity", "max_person_identity"])
def test_a_threshold_of_identity_needs_a_model(name):
    with pytest.raises(SettingsError, match=f"{name} needs identity_model"):
        validate({"quality": {name: 0.5}})


@pytest.mark.parametrize(
    ("pixels", "shape", "passes"),
    [(0.1, 0.02, False), (0.6, 0.02, True), (0.1, 0.1, True), (0.6, 0.1, True)],
)
def test_another_face_must_differ_in_pixels_or_shape(pixels, shape, passes):
    scores = GOOD | {"kind": "person", "pixel_distance": pixels, "shape_distance": shape}
    reasons = faults(scores, Quality(), BOUND)
    assert reasons == [] if passes else "the source's own face" in reasons[0]


def test_a_model_of_identity_is_turned_round_for_another_face():
    limits = Quality(identity_model="folder", min_identity=0.5, max_person_identity=0.4)
    person = GOOD | {"kind": "person", "pixel_distance": 9.0}
    assert faults(person | {"identity": 0.3}, limits, BOUND) == []
    assert faults(person | {"identity": 0.8}, limits, BOUND) == ["identity 0.800 > 0.4"]


REST = dict.fromkeys(PSPI_UNITS, 0.0)
LEVEL = {"kind": "level", "units": REST | {"au6": 4.0}, "source_units": REST | {"au6": 1.0}}
READ_BOUNDS = dict.fromkeys((*PSPI_UNITS, "pspi"), (0.4, 2.0))


def test_the_witness_names_the_unit_that_failed_and_by_how_much():
    limits = Quality(max_witness_error=1.0)
    right = GOOD | LEVEL | {"read_change": REST | {"au6": 2.5}}
    assert faults(right, limits, BOUND, READ_BOUNDS) == []
    wrong = right | {"read_change": REST | {"au6": 3.0, "au4": 0.5}}
    (reason,) = faults(wrong, limits, BOUND, READ_BOUNDS)
    assert reason == "au4: asked +0.0, read +0.5, off by 0.5, allowed 0.4"
    assert faults(wrong, Quality(max_witness_error=1.5), BOUND, READ_BOUNDS) == []
    assert faults(wrong, limits, BOUND) == []  # there is no witness


def test_the_witness_refuses_only_the_kinds_that_the_settings_name():
    lost = GOOD | {"read_change": REST | {"au6": -4.0}}
    assert faults(lost, Quality(), BOUND, READ_BOUNDS) == []
    reasons = faults(lost, Quality(witness_kinds=("keep",)), BOUND, READ_BOUNDS)
    assert [reason.split(":")[0] for reason in reasons] == ["au6"]


@pytest.fixture
def judged(shard, face_picture):
    """The gate's verdict on pictures that are known: the source, itself shifted, flat, noise."""

    def judge(*pictures, row=KEEP, **limits):
        rows = [
            row
            | {
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
        names = ("index", "crop", "landmarks", "generate", "quality")
        paths = (shard[name] for name in names)
        quality(validate({"quality": limits}), *paths)
        return tables.read(shard["quality"]).rows(named=True)

    return judge


def test_a_slightly_changed_source_passes(judged, face_picture):
    brighter = np.clip(face_picture.astype(int) + 6, 0, 255).astype(np.uint8)
    (row,) = judged(brighter)
    assert (row["status"], row["reason"]) == ("ok", "")
    assert row["landmark_error"] < 0.02


def test_the_measures_found_on_a_picture_stand_in_its_row(judged, face_picture, face_landmarks):
    """The source's own, where it is hardly changed; none where no face is found."""
    brighter = np.clip(face_picture.astype(int) + 6, 0, 255).astype(np.uint8)
    found, blank = judged(brighter, np.full_like(face_picture, 128))
    for name, value in measure_all(face_landmarks).items():
        assert found["measures"][name] == pytest.approx(value, abs=0.03), name
    assert set((blank["measures"] or {"": None}).values()) == {None}


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
    unknown |= {"warp", "target_error", "missed_measure"}  # they tell of another level
    second = {k: v for k, v in second.items() if k not in ("units", "source_units")}
    assert {name for name, value in second.items() if value is None} == unknown
    assert first["pose_difference"] < 3
    assert first["possible_difference"] > first["measure_difference"]


def test_the_bound_and_its_pairs_are_noted(judged, face_picture, shard):
    judged(face_picture)
    (noted,) = tables.notes(shard["quality"])["calibration"]
    assert noted["bound"] == 0.06  # six pairs tell nothing, so the settings' bound holds
    pairs = noted["pairs"]["measure_difference"]
    assert (pairs["same_pairs"], pairs["different_pairs"]) == (1, 5)
    assert noted["pairs"]["pspi_difference"]["same_pairs"] == 0


BROWS = {"kind": "level", "units": REST | {"au4": 4.0}, "source_units": REST}


@pytest.fixture
def edited_picture(face_picture, face_landmarks):
    """The face given another level, as it is before and after diffusion."""

    def make(row):
        start = start_of(row, face_picture, face_landmarks)
        return finished_of(row, start.image, face_landmarks)

    return make


def test_a_level_is_judged_against_its_target_not_its_source(judged, edited_picture, face_picture):
    right = edited_picture(BROWS)
    (as_asked,) = judged(right, row=BROWS, witness="")
    (as_keep,) = judged(right, witness="")
    assert (as_asked["status"], as_asked["reason"]) == ("ok", "")
    assert as_asked["brows_error"] < 0.6 * as_keep["brows_error"]
    assert as_asked["target_error"] < 2
    assert as_keep["target_error"] is None
    brighter = np.clip(face_picture.astype(int) + 6, 0, 255).astype(np.uint8)
    (unmoved,) = judged(brighter, row=BROWS, witness="")
    assert "brow_height (au4) misses its target, in errors of the mesh, by" in unmoved["reason"]


def test_what_the_witness_read_stands_in_the_row_and_refuses_in_words(judged, edited_picture):
    cheeks = {"kind": "level", "units": REST | {"au6": 4.0}, "source_units": REST}
    (right,) = judged(edited_picture(cheeks), row=cheeks, witness="bundled")
    assert right["read_change"]["au6"] > 1
    assert right["read_change"]["au9"] == pytest.approx(0, abs=0.5)
    nose = {"kind": "level", "units": REST | {"au9": 5.0}, "source_units": REST}
    (wrong,) = judged(edited_picture(cheeks), row=nose, witness="bundled")
    assert "au9: asked +5.0, read" in wrong["reason"]


def test_without_a_witness_the_table_notes_who_was_not_checked(judged, face_picture, shard):
    judged(face_picture, witness="")
    assert tables.notes(shard["quality"])["unchecked_units"] == ["au6", "au9"]
    assert tables.notes(shard["quality"])["witness"] is None
    (row,) = judged(face_picture)  # the demo's faces are rendered
    assert row["read_change"]["au4"] == pytest.approx(0, abs=0.01)
    noted = tables.notes(shard["quality"])
    assert noted["unchecked_units"] == []
    assert noted["witness"]["name"] == "bundled"


def test_auto_takes_the_bundled_witness_for_the_demo_only():
    assert witness_of(validate({})).facts["name"] == "bundled"
    assert witness_of(validate({"dataset": "unbc"})) is None


def test_the_gate_does_not_judge_by_a_covered_region(judged, edited_picture, shard):
    """Lowered brows are refused, and let pass where something covers brows and eyes."""
    lowered = edited_picture(BROWS)
    (wrong,) = judged(lowered, witness="", max_region_error=0.01)
    assert "brow" in wrong["reason"]
    rows = [
        row | {"visible_brows": 0.1, "visible_eyes": 0.0}
        for row in tables.read(shard["landmarks"]).rows(named=True)
    ]
    tables.write(shard["landmarks"], tables.frame("landmarks", rows), "landmarks")
    (row,) = judged(lowered, witness="", max_region_error=0.01)
    assert row["brows_error"] is None
    assert row["eyes_error"] is None
    assert row["brow_height_change"] is None
    assert row["measures"]["lid_opening"] is None
    assert row["mouth_error"] is not None
    assert row["upper_lip_raise_change"] is not None
    assert "brow" not in row["reason"]


def test_the_witness_is_not_asked_for_what_it_cannot_see():
    limits = Quality(max_witness_error=1.0, witness_kinds=("keep",))
    read = dict.fromkeys(PSPI_UNITS, 0.0) | {"au10": 5.0}
    wrong = GOOD | {"read_change": read}
    assert faults(wrong, limits, BOUND, READ_BOUNDS)
    assert faults(wrong, limits, BOUND, READ_BOUNDS, ("mouth",)) == []
