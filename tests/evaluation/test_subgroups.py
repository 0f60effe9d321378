"""Gaps between groups: a planted one is found, and none where groups mean nothing."""

import numpy as np
import polars as pl
import pytest

from aacsfnet.errors import SettingsError
from aacsfnet.evaluation.group_summary import group_summary, grouped, words_of
from aacsfnet.evaluation.metrics import mae, pcc
from aacsfnet.evaluation.subgroups import COMPARED, LEAST
from aacsfnet.labels import Label

LABEL = Label("pspi", 0.0, 16.0, "")


def world(seed: int, people: int, shift: float = 0.0, frames: int = 30):
    """Predictions of people, and two columns of groups; of one sex all is read low by `shift`."""
    rng = np.random.default_rng(seed)
    sex = np.array(["f", "m"])[rng.permutation(people) % 2]
    age = np.array(["young", "middle", "old"])[rng.permutation(people) % 3]
    parts = []
    for person in range(people):
        label = np.clip(np.round(3 + rng.gamma(0.6, 1.5, frames) * rng.gamma(4, 0.25)), 0, 16)
        bias, slope = rng.normal(0.5, 0.7), rng.normal(0.8, 0.2)
        got = bias + slope * label + rng.normal(0, 0.6, frames) - shift * (sex[person] == "f")
        parts.append(
            pl.DataFrame(
                {
                    "frame_id": [f"{person}/{n}" for n in range(frames)],
                    "subject": f"p{person:03d}",
                    "label": label,
                    "prediction": got.clip(0, 16),
                    "seed": 1,
                }
            )
        )
    names = [f"p{person:03d}" for person in range(people)]
    words = {
        "sex": {name: {group} for name, group in zip(names, sex, strict=True)},
        "age_group": {name: {group} for name, group in zip(names, age, strict=True)},
    }
    return pl.concat(parts), words


def found(seed: int, people: int, shift: float = 0.0, draws: int = 300) -> list[dict]:
    rows, words = world(seed, people, shift)
    return group_summary(rows, LABEL, words, draws, 0.95)["gaps"]


def test_a_planted_bias_is_found_with_an_interval_that_leaves_out_0():
    for seed in range(5):
        (gap,) = (g for g in found(seed, 40, 1.5) if (g["column"], g["measure"]) == ("sex", "bias"))
        assert gap["apart"]
        assert (gap["first"], gap["second"]) == ("m", "f")
        assert 0 < gap["low"] < 1.5 < gap["high"]
        assert not [g for g in found(seed, 40, 1.5) if g["column"] == "age_group" and g["apart"]]


def test_in_few_worlds_without_a_bias_anything_is_found():
    """In all of 30 worlds at a level of 5 % more than 5 would be a chance of 1 in 300."""
    wrong = [seed for seed in range(30) if any(gap["apart"] for gap in found(seed, 16))]
    assert len(wrong) <= 5


@pytest.mark.slow
@pytest.mark.parametrize("people", [12, 24])
def test_in_95_of_100_worlds_without_a_bias_nothing_is_found(people):
    wrong = [seed for seed in range(200) if any(gap["apart"] for gap in found(seed, people))]
    assert len(wrong) <= 10


def test_figures_of_a_group_are_those_of_its_people():
    rows, words = world(3, 12)
    columns = group_summary(rows, LABEL, words, 100, 0.95)["columns"]
    assert [group["group"] for group in columns["age_group"]["groups"]] == [
        "middle",
        "old",
        "young",
    ]
    for group in columns["sex"]["groups"]:
        names = [name for name, said in words["sex"].items() if said == {group["group"]}]
        mine = rows.filter(pl.col("subject").is_in(names))
        got, labels = mine["prediction"], mine["label"]
        assert group["subjects"] == 6
        assert group["few"]
        assert group["frames"] == len(mine)
        assert group["pooled"]["mae"]["value"] == pytest.approx(mae(got, labels))
        assert group["pooled"]["pcc"]["value"] == pytest.approx(pcc(got, labels))
        assert group["pooled"]["bias"]["value"] == pytest.approx((got - labels).mean())


def test_a_gap_is_the_difference_of_its_groups_figures():
    rows, words = world(4, 15)
    said = group_summary(rows, LABEL, words, 100, 0.95)
    assert len(said["gaps"]) == 2 * len(COMPARED)
    for gap in said["gaps"]:
        groups = {g["group"]: g["pooled"] for g in said["columns"][gap["column"]]["groups"]}
        first, second = (groups[gap[key]][gap["measure"]]["value"] for key in ("first", "second"))
        assert gap["value"] == pytest.approx(first - second)
        assert gap["low"] < gap["value"] < gap["high"]


def test_too_few_people_are_not_compared():
    rows, words = world(5, 5)
    words["sex"] = {name: {"f"} for name in words["sex"]}
    words["sex"]["p000"] = {"m"}
    said = group_summary(rows, LABEL, {"sex": words["sex"]}, 100, 0.95)
    assert said["gaps"] == []
    assert said["least"] == LEAST
    (one, _) = sorted(said["columns"]["sex"]["groups"], key=lambda group: group["subjects"])
    assert one["pooled"]["mae"]["low"] is None


def test_people_of_no_known_group_and_of_several_are_counted():
    rows, words = world(6, 12)
    words["sex"]["p000"] = {""}
    words["sex"]["p001"] = {"f", "m"}
    del words["sex"]["p002"]
    column = group_summary(rows, LABEL, words, 100, 0.95)["columns"]["sex"]
    assert (column["unknown_subjects"], column["ambiguous_subjects"]) == (3, 1)
    assert sum(group["subjects"] for group in column["groups"]) == 9


def test_ages_are_cut_into_thirds_of_the_people():
    groups, _ = grouped({f"p{age}": {str(age)} for age in range(20, 32)})
    assert groups["p20"] == groups["p23"] == "20 to 23"
    assert groups["p31"] == "28 to 31"
    few, _ = grouped({f"p{n}": {str(n % 3)} for n in range(12)})
    assert set(few.values()) == {"0", "1", "2"}


def test_columns_come_from_the_index_or_the_data_set():
    class Source:
        def people(self, names):
            assert names == ["site"]
            return {"site": {"a": {"north"}, "b": {"south"}}}

    index = pl.DataFrame({"subject": ["a", "a", "b"], "sex": ["f", "f", ""]})
    words = words_of(index, Source(), ["sex", "site"])
    assert words == {
        "sex": {"a": {"f"}, "b": {""}},
        "site": {"a": {"north"}, "b": {"south"}},
    }


def test_a_column_of_the_manifest_and_one_that_there_is_not(tmp_path):
    from aacsfnet.config import Config
    from aacsfnet.datasets import open_dataset

    table = (
        "path,subject,label,Site,age\na.png,s1,0,north,30\nb.png,s1,1,north,30\nc.png,s2,0,,41\n"
    )
    (tmp_path / "m.csv").write_text(table)
    config = Config.model_validate(
        {"dataset": "manifest", "index": {"manifest": {"file": str(tmp_path / "m.csv")}}}
    )
    dataset = open_dataset(config)
    assert dataset.people(["site", "age"]) == {
        "site": {"s1": {"north"}, "s2": {""}},
        "age": {"s1": {"30"}, "s2": {"41"}},
    }
    with pytest.raises(SettingsError, match=r"'ethnicity' is no column of m\.csv"):
        dataset.people(["ethnicity"])
    with pytest.raises(SettingsError, match="'site' is known of nobody"):
        open_dataset(Config()).people(["site"])
