"""Pretraining on geometry: what it learns, whom it sees, and that a kill changes nothing."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from aacsfnet import tables
from aacsfnet.config import Train
from aacsfnet.errors import WorkError
from aacsfnet.training.build import build
from aacsfnet.training.geometry import GEOMETRY, mirrored, standardised
from aacsfnet.training.module import Training
from aacsfnet.training.pretraining import Geometry, Pretraining, pretrain, stations_loss
from aacsfnet.training.train import train
from tests.training.test_geometry import material_of, measured
from tests.training.test_train import Killed, equal, kill_at, settings, weights_of

CPU = torch.device("cpu")
BASE = {"geometry_pretraining_steps": 6, "state_every": 2, "pretrained": None}


def changed(merge, change):
    """Apply a function to the rows of a merged table, and keep it."""
    rows = tables.read(merge / "index.parquet").to_dicts()
    for row in rows:
        change(row)
    tables.write(merge / "index.parquet", tables.frame("merge", rows), "merge")
    return merge


def turned(merge):
    """Give each real picture a pose of its own."""

    def change(row):
        if not row["synthetic"]:
            row["yaw"], row["pitch"] = 3.0 * (row["row"] % 7) - 5.0, float(row["row"] % 4)

    return changed(merge, change)


def pretrained(merge, state, **changes):
    """Return the weights after pretraining, head included."""
    own, material = settings(**(BASE | changes)).train, material_of(merge)
    model = build(own, material, 7)
    pretrain(model, own, material, seed=7, state=state, device=CPU)
    assert model.training
    return {name: each.clone() for name, each in model.state_dict().items()}


def roles(merge):
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 0)
    return dict(splits.select("subject", "role").iter_rows())


def test_every_part_but_the_head_learns(merged, tmp_path):
    merge = turned(measured(merged(subjects=4, synthetic=4)))
    own, material = settings(**BASE).train, material_of(merge)
    before, after = build(own, material, 7).state_dict(), pretrained(merge, tmp_path)
    still = {name for name, each in after.items() if torch.equal(each, before[name])}
    statistics = {"pixel_mean", "pixel_deviation", "label_mean", "label_deviation"}
    heads = {name for name in before if name.startswith("head.")}
    assert heads
    assert still >= heads | statistics
    others = still - heads - statistics
    # Position codes and the like are no parameters.
    parameters = {name for name, _ in build(own, material, 7).named_parameters()}
    assert not others & parameters


def test_it_learns_what_a_face_shows(merged):
    """The measure of these drawn faces is the share of dark pixels."""
    material = material_of(measured(merged(subjects=6, folds=2)))
    own = settings(pretrained=None).train
    model = build(own, material, 1)
    rows, targets = material.training_geometry()
    pictures = torch.from_numpy(material.images[rows]).permute(0, 3, 1, 2) / 255
    wanted = torch.from_numpy(targets)
    torch.manual_seed(0)
    geometry = Geometry(model, wanted.shape[1], pictures.shape[-1])
    optimiser = torch.optim.AdamW(geometry.parameters(), 2e-3)
    losses = []
    for _ in range(30):
        loss = stations_loss(geometry(pictures), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_labels_are_not_read(merged, tmp_path):
    merge = turned(measured(merged(subjects=4)))
    before = pretrained(merge, tmp_path / "a")
    changed(merge, lambda row: row.update(label=4.0 - row["label"]))
    after = pretrained(merge, tmp_path / "b")
    for name in ("label_mean", "label_deviation"):  # these are the training labels', for the head
        before.pop(name), after.pop(name)
    assert equal(before, after)


def test_only_training_subjects_and_pools_are_seen(merged, tmp_path, monkeypatch):
    """Whatever the others look like and however their faces are measured, nothing changes."""
    merge = turned(measured(merged(subjects=6, synthetic=8)))
    role = roles(merge)
    pool = next(name for name, each in sorted(role.items()) if each == "train")
    changed(merge, lambda row: row.update(pool=row["subject"] == pool))
    seen = set()
    original = Pretraining.training_step

    def noting(self, batch, batch_idx):
        seen.update(batch["rows"].tolist())
        return original(self, batch, batch_idx)

    monkeypatch.setattr(Pretraining, "training_step", noting)
    steps = {"geometry_pretraining_steps": 12}
    before = pretrained(merge, tmp_path / "a", **steps)
    rows = tables.read(merge / "index.parquet")
    training = {name for name, each in role.items() if each == "train"}
    assert pool in training
    assert seen == set(rows.filter(pl.col("subject").is_in(list(training)))["row"])

    images = np.load(merge / "images.npy")
    others = rows.filter(~pl.col("subject").is_in(list(training)))["row"].to_numpy()
    images[others] = 255 - images[others]
    np.save(merge / "images.npy", images)

    def planted(row):
        if row["subject"] not in training:
            row["measures"] = dict.fromkeys(tables.MEASURES, 50.0)
            row["yaw"] = 80.0

    changed(merge, planted)
    assert equal(before, pretrained(merge, tmp_path / "b", **steps))


def test_generated_pictures_tell_their_measures_and_no_pose(merged):
    merge = turned(measured(merged(subjects=4, synthetic=16)))
    material = material_of(merge)
    rows, targets = material.training_geometry()
    synthetic = dict(tables.read(merge / "index.parquet").select("row", "synthetic").iter_rows())
    generated = np.array([synthetic[row] for row in rows])
    assert generated.any()
    assert np.isnan(targets[generated, -2:]).all()  # nobody measures their pose
    assert np.isfinite(targets[generated, :-2]).all()
    assert np.isfinite(targets[~generated]).all()


@pytest.mark.parametrize("step", [0, 1, 2, 5])
def test_killed_in_pretraining_it_ends_with_the_same_weights(merged, tmp_path, monkeypatch, step):
    merge = turned(measured(merged(subjects=4)))
    given = settings(epochs=1, **BASE)
    train(given, merge, 0, 1, tmp_path / "whole")
    original = Pretraining.training_step

    def dying(self, batch, batch_idx):
        if self.global_step == step:
            raise Killed
        return original(self, batch, batch_idx)

    monkeypatch.setattr(Pretraining, "training_step", dying)
    with pytest.raises(Killed):
        train(given, merge, 0, 1, tmp_path / "out")
    monkeypatch.setattr(Pretraining, "training_step", original)
    train(given, merge, 0, 1, tmp_path / "out")
    assert equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "out"))
    assert (tmp_path / "whole" / "history.csv").read_text() == (
        tmp_path / "out" / "history.csv"
    ).read_text()


@pytest.mark.parametrize("step", [0, 1])
def test_killed_in_training_it_does_not_pretrain_again(merged, tmp_path, monkeypatch, step):
    """At step 0 only pretraining has a checkpoint, at step 1 training has its own."""
    merge = turned(measured(merged(subjects=4)))
    given = settings(epochs=1, **(BASE | {"state_every": 1}))
    train(given, merge, 0, 1, tmp_path / "whole")
    with monkeypatch.context() as patched:
        kill_at(patched, step)
        with pytest.raises(Killed):
            train(given, merge, 0, 1, tmp_path / "out")

    def never(self, batch, batch_idx):
        raise AssertionError("pretrained again")

    monkeypatch.setattr(Pretraining, "training_step", never)
    train(given, merge, 0, 1, tmp_path / "out")
    assert equal(weights_of(tmp_path / "whole"), weights_of(tmp_path / "out"))


def test_the_folder_tells_of_it(merged, tmp_path):
    merge = turned(measured(merged(subjects=4)))
    train(settings(epochs=1, **BASE), merge, 0, 1, tmp_path / "with")
    train(settings(epochs=1, pretrained=None), merge, 0, 1, tmp_path / "without")
    told = json.loads((tmp_path / "with" / "config.json").read_text())
    assert told["pretraining"]["steps"] == 6
    assert told["pretraining"]["pictures"] == told["training"]["train"]["real"]
    assert told["pretraining"]["learned"] == list(GEOMETRY)
    assert "pretraining" not in json.loads((tmp_path / "without" / "config.json").read_text())
    assert not equal(weights_of(tmp_path / "with"), weights_of(tmp_path / "without"))


def test_a_mirrored_head_is_turned_to_the_other_side():
    random = np.random.default_rng(0)
    values = random.normal(2.0, 3.0, (40, len(GEOMETRY)))
    yaw, pitch = GEOMETRY.index("yaw"), GEOMETRY.index("pitch")
    standard = torch.from_numpy(standardised(values, values))
    image = mirrored(standard, torch.ones(40, dtype=torch.bool))
    torch.testing.assert_close(image[:, yaw], -standard[:, yaw])
    torch.testing.assert_close(image[:, pitch], standard[:, pitch])
    assert float(standard[:, yaw].square().mean()) == pytest.approx(1.0, rel=1e-5)
    assert torch.equal(mirrored(standard, torch.zeros(40, dtype=torch.bool)), standard)


def test_where_no_geometry_is_known_it_is_said(merged, tmp_path):
    merge = changed(merged(subjects=4), lambda row: row.update(measures=None))
    with pytest.raises(WorkError, match=r"geometry_pretraining_steps: no facial measure is known"):
        train(settings(epochs=1, **BASE), merge, 0, 1, tmp_path / "out")


def test_a_loss_that_is_no_number_stops_the_run(merged, tmp_path):
    merge = turned(measured(merged(subjects=4)))
    with pytest.raises(WorkError, match="NaN or infinite"):
        pretrained(merge, tmp_path, learning_rate=1e38)


def test_the_published_network_has_no_pretraining():
    with pytest.raises(ValidationError, match="the published model has none"):
        Train(model="published", pretrained="bundled", geometry_pretraining_steps=5)


def without_labels(merge, chosen):
    """Take away the labels of the real frames that a function of the row chooses."""

    def change(row):
        if not row["synthetic"] and chosen(row):
            row.update(label=None, status="unlabelled", reason="the label is empty")

    return changed(merge, change)


def test_training_subjects_pictures_without_a_label_are_seen_by_it_alone(
    merged, tmp_path, monkeypatch
):
    """Planted: those of validation and test subjects, whatever they look like, change nothing."""
    merge = without_labels(turned(measured(merged(subjects=6))), lambda row: row["row"] % 10 < 5)
    role, rows = roles(merge), tables.read(merge / "index.parquet")
    training = pl.col("subject").is_in([name for name, each in role.items() if each == "train"])
    seen = {"pretraining": set(), "training": set()}

    def noting(name, step):
        def noted(self, batch, batch_idx):
            seen[name].update(batch["rows"].tolist())
            return step(self, batch, batch_idx)

        return noted

    for name, module in (("pretraining", Pretraining), ("training", Training)):
        monkeypatch.setattr(module, "training_step", noting(name, module.training_step))
    given = settings(epochs=2, **(BASE | {"geometry_pretraining_steps": 12}))
    train(given, merge, 0, 1, tmp_path / "a")
    labelled = pl.col("status") == "ok"
    assert seen["pretraining"] == set(rows.filter(training)["row"])
    assert seen["training"] == set(rows.filter(training & labelled)["row"])

    told = json.loads((tmp_path / "a" / "config.json").read_text())
    assert told["pretraining"]["pictures"] == len(rows.filter(training))
    assert told["pretraining"]["unlabelled"] == len(rows.filter(training & ~labelled))
    assert told["training"]["train"]["real"] == len(rows.filter(training & labelled))
    predicted = pl.read_parquet(tmp_path / "a" / "predictions.parquet")
    tested = pl.col("subject").is_in([name for name, each in role.items() if each == "test"])
    assert predicted["frame_id"].to_list() == rows.filter(tested & labelled)["frame_id"].to_list()

    images = np.load(merge / "images.npy")
    others = rows.filter(~training & ~labelled)["row"].to_numpy()
    images[others] = 255 - images[others]
    np.save(merge / "images.npy", images)
    hidden = set(others.tolist())

    def planted(row):
        if row["row"] in hidden:
            row.update(measures=dict.fromkeys(tables.MEASURES, 50.0), yaw=80.0)

    changed(merge, planted)
    train(given, merge, 0, 1, tmp_path / "b")
    assert equal(weights_of(tmp_path / "a"), weights_of(tmp_path / "b"))


def test_without_pretraining_they_change_nothing(merged, tmp_path):
    """Neither statistics nor what stands beside a picture: as if they had been left out."""
    network = {"context": "person", "context_frames": 2}
    given = settings(epochs=1, pretrained=None, network=network)
    merge = without_labels(turned(measured(merged(subjects=4))), lambda row: row["row"] % 10 < 5)
    train(given, merge, 0, 1, tmp_path / "with")
    rows = tables.read(merge / "index.parquet").to_dicts()
    kept = [row["row"] for row in rows if row["status"] == "ok"]
    np.save(merge / "images.npy", np.load(merge / "images.npy")[kept])
    for row in rows:
        row["row"] = kept.index(row["row"]) if row["status"] == "ok" else None
        row["status"] = "ok" if row["status"] == "ok" else "bad_label"
    tables.write(merge / "index.parquet", tables.frame("merge", rows), "merge")
    train(given, merge, 0, 1, tmp_path / "without")
    assert equal(weights_of(tmp_path / "with"), weights_of(tmp_path / "without"))
    one, other = (
        pl.read_parquet(tmp_path / name / "predictions.parquet").drop("row")
        for name in ("with", "without")
    )
    assert one.equals(other)
