"""The data set `demo`: truthful labels, the same every time, natural courses of pain."""

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.config import DemoData, Index
from aacsfnet.datasets.demo import Demo
from aacsfnet.errors import DataError
from aacsfnet.facs import ACTION_UNITS, HIGHEST, pspi
from aacsfnet.rendering.expressions import express
from aacsfnet.rendering.people import Person, neutral_face
from aacsfnet.rendering.sequences import person_of
from aacsfnet.seeds import seed_of


def demo(**settings: int) -> Demo:
    return Demo(Index(demo=DemoData(**{"picture_size": 128, **settings})))


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return demo().index()


def test_pspi_is_the_formula_on_the_rows(rows: pl.DataFrame) -> None:
    by_hand = (
        pl.col("au4").cast(pl.Float64)
        + pl.max_horizontal("au6", "au7").cast(pl.Float64)
        + pl.max_horizontal("au9", "au10").cast(pl.Float64)
        + pl.col("au43").cast(pl.Float64)
    )
    # Intensities are stored in single precision.
    assert (rows["label"] - rows.select(by_hand).to_series()).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ({}, 0),
        ({"au4": 5, "au6": 5, "au7": 5, "au9": 5, "au10": 5, "au43": 1}, 16),
        ({"au6": 2, "au7": 3}, 3),
        ({"au9": 4, "au10": 1, "au43": 1}, 5),
        ({"au12": 5, "au25": 5, "au26": 5, "au1": 5, "au2": 5, "au20": 5}, 0),
    ],
)
def test_pspi_by_hand(units: dict[str, float], expected: float) -> None:
    assert pspi(units) == expected


def test_index_fills_the_table_and_agrees_with_the_scan(rows: pl.DataFrame) -> None:
    data = demo()
    assert rows.drop("label").columns == [
        name for name in tables.SCHEMAS["index"] if name not in ("shard", "label")
    ]
    assert dict(rows.group_by("subject").len().iter_rows()) == data.subjects()
    assert rows["frame_id"].n_unique() == len(rows)
    assert rows.select(ACTION_UNITS).null_count().sum_horizontal().item() == 0
    assert set(rows["sex"]) == {"f", "m"}
    assert (rows["age_group"] != "").all()
    assert rows.group_by("subject").agg(pl.col("sex").n_unique())["sex"].max() == 1


@pytest.mark.parametrize("seed", range(4))
def test_pain_is_rare_graded_and_in_every_subject(seed: int) -> None:
    labels = demo(seed=seed).index()
    zeros = (labels["label"] == 0).mean()
    assert 0.35 < zeros < 0.65
    assert 12 <= labels["label"].max() <= 16
    assert labels.group_by("subject").agg(pl.col("label").max())["label"].min() >= 3
    counts = np.histogram(labels["label"], bins=[0, 4, 8, 16.1])[0]
    assert counts[0] > counts[1] > counts[2] > 0


def test_courses_rise_and_fall_without_jumps() -> None:
    rows = demo(frames=120).index()
    for unit in ("au4", "au6", "au7", "au9", "au10"):
        steps = rows[unit].diff().abs().filter(rows["position"] > 0)
        assert steps.max() < 0.35 + 5 / 8, unit  # nothing leaps from rest to apex


def test_movements_that_are_no_pain_occur_at_zero(rows: pl.DataFrame) -> None:
    nuisance = rows.filter((pl.col("label") == 0) & ((pl.col("au12") > 1) | (pl.col("au26") > 0.5)))
    assert len(nuisance) > 10


def test_any_frame_renders_alone_and_in_any_order(rows: pl.DataFrame) -> None:
    some = rows[[5, 100, 600]]
    forwards = list(demo().pictures(some))
    backwards = list(demo().pictures(some.reverse()))
    assert [p.shape for p in forwards] == [(128, 128, 3)] * 3
    assert forwards[0].dtype == np.uint8
    for one, other in zip(forwards, reversed(backwards), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_different_seed_gives_other_people_and_courses() -> None:
    one, other = demo(seed=1).index(), demo(seed=2).index()
    assert (one["label"] != other["label"]).mean() > 0.3
    first = next(iter(demo(seed=1).pictures(one[:1]))).astype(float)
    second = next(iter(demo(seed=2).pictures(other[:1]))).astype(float)
    assert np.abs(first - second).mean() > 5


def test_more_subjects_leave_the_first_ones_as_they_are() -> None:
    few, many = demo(subjects=3).index(), demo(subjects=6).index()
    assert few.equals(many.filter(pl.col("subject").is_in(few["subject"].implode())))


def test_people_of_other_namespaces_are_others() -> None:
    demo_people = {person_of(seed, i).shape for seed in range(5) for i in range(40)}
    others = {
        Person.from_seed(seed_of("generator", s, i)).shape for s in range(5) for i in range(40)
    }
    assert len(demo_people) == len(others) == 200
    assert not demo_people & others


@pytest.mark.parametrize("path", ["demo:s099/q001/0001", "demo:s001/q001", "s001/q001/0001", "x"])
def test_a_foreign_path_is_told(rows: pl.DataFrame, path: str) -> None:
    foreign = rows[:1].with_columns(path=pl.lit(path))
    with pytest.raises(DataError, match="no frame of this demo data set"):
        next(iter(demo().pictures(foreign)))


def test_intensities_are_clamped_and_add_up() -> None:
    face = neutral_face(Person.from_seed(3))
    full = express(face, HIGHEST)
    np.testing.assert_array_equal(express(face, dict.fromkeys(HIGHEST, 99.0)), full)
    np.testing.assert_array_equal(express(face, {}), express(face, {"au4": -3}))
    rest = express(face, {})
    smile, brow = express(face, {"au12": 4}) - rest, express(face, {"au4": 4}) - rest
    both = express(face, {"au12": 4, "au4": 4}) - rest
    np.testing.assert_allclose(both, smile + brow, atol=0.02)
    with pytest.raises(KeyError, match="au99"):
        express(face, {"au99": 1})
