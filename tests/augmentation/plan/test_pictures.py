"""Which pictures are planned: how many of each kind, from which frames, showing what."""

from collections import Counter

import numpy as np
import polars as pl
import pytest

from aacsfnet.augmentation.plan.pictures import Planner, check_levels, known_units
from aacsfnet.config import validate
from aacsfnet.errors import SettingsError
from aacsfnet.facs import PSPI_UNITS, pspi
from aacsfnet.labels import Label

PSPI = Label("pspi", 0.0, 16.0, "")
VAS = Label("vas", 0.0, 10.0, "")


def frames(labels, **units):
    """Index rows of one person; units are lists, unknown where they are not given."""
    columns = {"frame_id": [f"s1/a/{n:04d}" for n in range(len(labels))], "label": labels}
    unknown = dict.fromkeys(PSPI_UNITS, [None] * len(labels))
    schema = {"label": pl.Float64} | dict.fromkeys(PSPI_UNITS, pl.Float32)
    return pl.DataFrame(columns | unknown | units, schema_overrides=schema)


def planned(own, label=PSPI, seed=1, **prompts):
    planner = Planner(validate({"seed": seed, "prompts": prompts}), label, own)
    return {
        row["frame_id"]: planner.of(row)
        for row in own.select("frame_id", "label").iter_rows(named=True)
    }


def numbers(plan, kind):
    return [sum(picture.kind == kind for picture in pictures) for pictures in plan.values()]


NONE = {"variants": 0}
ONE = {"variants": 1}


@pytest.mark.parametrize("kind", ["keep", "person"])
def test_the_neutral_share_is_kept_and_always_the_same_frames(kind):
    prompts = {"keep": NONE} | {kind: {"neutral_share": 0.2, "variants": 3}}
    found = numbers(planned(frames([0.0] * 500), **prompts), kind)
    assert set(found) == {0, 3}
    assert 70 <= found.count(3) <= 130  # 100 expected, standard deviation 9
    assert numbers(planned(frames([0.0] * 500), **prompts), kind) == found
    assert numbers(planned(frames([0.0] * 500), seed=2, **prompts), kind) != found


@pytest.mark.parametrize(
    ("label", "level", "kept"), [(PSPI, {}, 0), (PSPI, {"pictures": 0}, 1), (VAS, {}, 1)]
)
def test_frames_are_drawn_as_they_are_by_default_only_where_no_levels_are(label, level, kept):
    found = numbers(planned(frames([0.0, 5.0]), label=label, level=level), "keep")
    assert found[1] == kept


def test_rare_levels_get_more_when_balanced():
    own = frames([0.0] * 900 + [1.0] * 80 + [10.0] * 32)
    found = numbers(planned(own, keep=ONE | {"balance": 1.0, "max_variants": 4}), "keep")
    assert set(found[900:980]) == {1}
    assert 70 <= sum(found[980:]) <= 90  # 80 expected


def test_levels_that_a_person_lacks_are_made_of_frames_without_pain():
    own = frames([0.0] * 60 + [3.0] * 4 + [8.0] * 12)
    plan = planned(own, keep=NONE, level={"pictures": 12, "levels": [4, 8, 12]})
    made = [picture for pictures in plan.values() for picture in pictures]
    assert not any(list(plan.values())[60:])
    found = Counter(picture.label for picture in made)
    assert set(found) == {4.0, 12.0}  # 12 real frames show 8 as it is
    assert 3 <= found[4.0] <= 14  # 8 expected, as 4 real ones are within a point
    assert 7 <= found[12.0] <= 17  # 12 expected
    for picture in made:
        assert float(pspi(picture.units)) == picture.label
        assert picture.source_units == dict.fromkeys(PSPI_UNITS, 0.0)


def test_a_frame_has_at_most_its_variants_of_other_levels():
    plan = planned(frames([0.0] * 5), keep=NONE, level={"pictures": 50, "max_variants": 3})
    assert numbers(plan, "level") == [3] * 5


def test_closed_eyes_strong_pain_and_unknown_units_are_no_sources():
    own = frames(
        [0.0, 1.0, 2.0, 2.0, 6.0],
        au4=[0, 0, None, 2, 5],
        au6=[0, 0, None, 0, 0],
        au7=[0, 0, None, 0, 1],
        au9=[0, 0, None, 0, 0],
        au10=[0, 0, None, 0, 0],
        au43=[0, 1, None, 0, 0],
    )
    config = validate({"prompts": {"keep": NONE, "level": {"pictures": 20, "levels": [5, 9]}}})
    planner = Planner(config, PSPI, own)
    rows = own.select("frame_id", "label").rows(named=True)
    assert [bool(planner.of(row)) for row in rows] == [True, False, False, True, False]
    reasons = [planner.reason(row["frame_id"]) for row in rows]
    assert "closed eyes" in reasons[1]
    assert "not all coded" in reasons[2]
    assert "shows pain" in reasons[4]
    assert all(picture.source_units["au4"] == 2 for picture in planner.of(rows[3]))


def test_coding_that_contradicts_the_label_says_nothing():
    row = {"label": 0.0} | dict.fromkeys(PSPI_UNITS, 0.0)
    assert known_units(row, PSPI) == dict.fromkeys(PSPI_UNITS, 0.0)
    assert known_units(row | {"au4": 3.0}, PSPI) is None
    assert known_units(row | {"au4": 3.0}, VAS) is not None
    assert known_units(dict.fromkeys(row) | {"label": 0.0}, VAS) is None


def test_one_kinds_settings_leave_the_others_as_they_were():
    own = frames([0.0] * 40 + [5.0] * 10)
    alone = planned(own, keep=ONE, level={"pictures": 0})
    both = planned(own, keep=ONE, person={"variants": 2}, level={"pictures": 5})
    for frame, pictures in alone.items():
        kept = [picture for picture in both[frame] if picture.kind == "keep"]
        assert kept == pictures
        assert [p.seed(1, frame) for p in kept] == [p.seed(1, frame) for p in pictures]
    names = [p.name(frame) for frame, pictures in both.items() for p in pictures]
    assert len(set(names)) == len(names)
    seeds = {p.seed(1, frame) for frame, pictures in both.items() for p in pictures}
    assert len(seeds) == len(names)


def test_the_expected_numbers_are_those_that_are_planned():
    own = frames([0.0] * 400 + [2.0] * 100 + [10.0] * 40)
    prompts = {
        "keep": {"variants": 1, "balance": 0.5},
        "person": {"variants": 2},
        "level": {"pictures": 60, "max_variants": 2},
    }
    plan = planned(own, **prompts)
    told = Planner(validate({"prompts": prompts}), PSPI, own).expected()
    for kind, number in told.items():
        assert sum(numbers(plan, kind)) == pytest.approx(number, rel=0.1)


def test_levels_are_made_unless_labels_are_no_pspi():
    own = frames([0.0] * 40)
    assert sum(numbers(planned(own), "level")) > 20
    assert sum(numbers(planned(own, level={"pictures": 0}), "level")) == 0
    assert sum(numbers(planned(own, VAS), "level")) == 0


def test_levels_of_labels_that_are_no_pspi_are_refused():
    config = validate({"prompts": {"level": {"pictures": 4}}})
    check_levels(config, PSPI)
    check_levels(validate({}), VAS)
    with pytest.raises(SettingsError, match=r"pictures = 4: .* are vas, 0 to 10: set it to 0"):
        check_levels(config, VAS)


def test_usual_units_are_those_that_are_coded_often():
    from aacsfnet.augmentation.plan.units import units_of

    draws = np.random.default_rng(1)
    usual, rare = (
        pl.DataFrame([units_of(6, is_rare, draws) for _ in range(400)]) for is_rare in (False, True)
    )
    for drawn in (usual, rare):
        assert {float(pspi(row)) for row in drawn.rows(named=True)} == {6.0}
        assert drawn.max().row(0) <= (5, 5, 5, 5, 5, 1)
    eyes = pl.max_horizontal("au6", "au7").mean()
    assert usual.select(eyes).item() > rare.select(eyes).item() + 0.5
    assert usual["au9"].mean() < rare["au9"].mean()
    assert usual["au6"].mean() > usual["au7"].mean()
