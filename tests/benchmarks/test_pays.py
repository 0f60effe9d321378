"""The study of which pictures pay: its data, its arms and what it says."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
import yaml

from aacsfnet import tables
from aacsfnet.config import validate
from aacsfnet.layout import Merged
from aacsfnet.training.material import read_material
from benchmarks import pays
from benchmarks import pays_people as people
from tests.merged_data import merged_rows

PLAN = yaml.safe_load(pays.PLAN.read_text(encoding="utf-8"))
NAMES = ["p000", "p001", "p200", "p201"]


@pytest.fixture
def merged(tmp_path):
    """Four people, two of them held out; generated pictures of all, as merge makes them."""
    rows = merged_rows(NAMES, 10, 12)
    for row in rows:
        if row["synthetic"] and row["label"] == 3:
            row |= {"kind": "level", "label": 8.0 + row["row"]}
    accepted = next(row for row in reversed(rows) if row["subject"] == "p001")
    refused = accepted | {"image_id": "p001/a/009#1", "status": "rejected", "row": None}
    images = np.arange(len(rows), dtype=np.uint8)[:, None, None, None] + np.zeros(
        (1, 8, 8, 3), np.uint8
    )
    folder = Merged(tmp_path / "merge")
    folder.folder.mkdir()
    np.save(folder.images, images)
    tables.write(folder.index, tables.frame("merge", [*rows, refused]), "merge")
    return folder


def arm(merged, tmp_path, pictures):
    folder = pays.arranged(merged, pictures, ["p000", "p001"], tmp_path / pictures)
    chosen = read_material(Merged(folder), 0, tables.KINDS, pays.LABEL).chosen
    return chosen, np.load(Merged(folder).images)[:, 0, 0, 0]


def test_scarce_labels_are_distributed_as_in_the_archive():
    shots = people.scarce(7, range(100, 106), 20)
    assert Counter(shot.person for shot in shots) == dict.fromkeys(range(100, 106), 20)
    assert len({shot.name for shot in shots}) == 120
    found = sorted(shot.frame.pspi for shot in shots)
    np.testing.assert_allclose(found, people.deck(120), atol=0.75)
    assert sum(label >= 3.5 for label in found) == 4


def test_no_person_is_in_two_runs_or_in_training_and_held_out():
    seeds = list(PLAN["people"].values())
    assert len(set(seeds)) == len(seeds)
    shots = people.groups(PLAN, seeds[0])
    sides = [{shot.person for shot in part} for part in shots.values()]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert len({shot.person for shot in shots["held_out"]}) >= 40


def test_an_arm_trains_on_its_people_and_tests_on_all_that_are_held_out(merged, tmp_path):
    chosen, values = arm(merged, tmp_path, "as made")
    table = tables.read(merged.index).filter(pl.col("row").is_not_null())
    training = table.filter(pl.col("subject").is_in(["p000", "p001"]))
    assert chosen.train["image_id"].to_list() == training["image_id"].to_list()
    assert values[chosen.train["row"].to_numpy()].tolist() == training["row"].to_list()
    assert set(chosen.test["subject"]) == {"p200", "p201"}
    assert not chosen.test["synthetic"].any()
    assert not len(chosen.validation)


def test_doubled_shows_the_sources_again(merged, tmp_path):
    chosen, values = arm(merged, tmp_path, "doubled")
    real = {row["frame_id"]: row for row in chosen.train.to_dicts() if not row["synthetic"]}
    copies = chosen.train.filter("synthetic").to_dicts()
    assert len(copies) == 8
    for copy in copies:
        source = real[copy["source_frame_id"]]
        assert values[copy["row"]] == values[source["row"]]
        assert copy["label"] == source["label"]


def test_shuffled_changes_the_labels_of_generated_pictures_alone(merged):
    before = tables.read(merged.index)
    after = pays.shuffled(before)
    real = ~pl.col("synthetic")
    assert after.filter(real).equals(before.filter(real))
    levels = [each.filter(kind="level")["label"].to_list() for each in (before, after)]
    assert len(levels[0]) > 4
    assert sorted(levels[0]) == sorted(levels[1])
    assert levels[0] != levels[1]
    assert after.drop("label").equals(before.drop("label"))


def test_pictures_of_others_stand_for_their_frames():
    rows = merged_rows(["p000", "p000" + people.OTHER], 4, 0)
    found = pays.of_others(tables.frame("merge", rows)).filter("synthetic")
    assert found["source_frame_id"].to_list() == [f"p000/a/{n:03d}" for n in range(4)]
    assert set(found["subject"]) == {"p000"}
    assert found["row"].to_list() == [4, 5, 6, 7]


def test_all_arms_of_the_plan_are_possible_and_equally_long():
    for plan in (pays.plan_for(PLAN, which) for which in [*PLAN["people"], "afterwards"]):
        for condition in plan["conditions"]:
            steps = set()
            arms = pays.arms_of(plan, condition)
            reference = pays.COMPARED[0]
            assert {reference, condition.get("counts", reference)} <= arms.keys()
            for one in arms.values():
                assert one.get("pictures", "as made") in pays.PICTURES
                settings = plan["train"] | plan["starts"][condition["start"]] | one.get("train", {})
                train = validate({"train": settings}).train
                steps.add((train.epochs, train.epoch_steps, train.batch))
            assert len(steps) == 1
            assert None not in steps.pop()
        for settings in (plan["pictures"], plan["no_pictures"]):
            validate(settings)
        assert len(plan["training_seeds"]) >= 3


def predictions(errors):
    """Rows of one seed for people `(n,)` whose scores are off by so much."""
    rows = [
        {"frame_id": f"{who}/{n}", "subject": str(who), "sequence": "a", "label": float(n)}
        | {"prediction": n + error, "mean_label": 4.0, "fold": 0, "seed": 1}
        for who, error in enumerate(errors)
        for n in range(12)
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (np.linspace(0.4, 0.6, 20), "helps"),
        (np.linspace(1.4, 1.6, 20), "harms"),
        (np.linspace(0.4, 1.6, 20), "nothing"),
        (np.linspace(0.97, 0.99, 20), "nothing"),  # sure, and too small to matter
    ],
)
def test_what_the_study_says_of_an_arm(own, said):
    reference = predictions(np.ones(20))
    found = pays.figures(predictions(own))
    paired = pays.less(predictions(own), reference)
    assert found["mae"]["value"] == pytest.approx(own.mean())
    assert found["shift"] == pytest.approx(own.mean())
    assert paired["mae"]["value"] == pytest.approx(own.mean() - 1)
    assert paired["mae_severe"]["value"] == pytest.approx(own.mean() - 1)
    assert pays.verdict(paired["mae"], 1.0, 0.05) == said
