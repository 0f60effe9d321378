"""Which pictures stand beside each in training and test, and that no label chooses them."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from aacsfnet import tables
from aacsfnet.config import NetworkSettings, validate
from aacsfnet.errors import SettingsError
from aacsfnet.labels import Label
from aacsfnet.layout import Merged
from aacsfnet.models import load_model
from aacsfnet.models.familiarity import Familiarity
from aacsfnet.models.network import Network
from aacsfnet.models.reference import calmest
from aacsfnet.training.augment import augment
from aacsfnet.training.context import context_rows, with_positions
from aacsfnet.training.data import Batches, Pictures
from aacsfnet.training.material import pictures_of, read_material, training_batches
from aacsfnet.training.train import train
from tests.merged_data import merged_rows
from tests.training.test_train import check_kills, settings

KINDS = ["person", "sequence"]
BATCH = {"person": 2, "sequence": 4}  # places beside each picture, of two frames


def with_context(kind, frames=2, **changes):
    return settings(network={"context": kind, "context_frames": frames}, **changes)


def table(rows):
    return with_positions(tables.frame("merge", rows))


def found(rows, index, kind, count):
    return context_rows(rows, index.filter(pl.col("row").is_not_null()), kind, count)


def test_no_context_is_no_context():
    index = table(merged_rows(["a"], 4, 0))
    assert found(index, index, "none", 2) is None


def test_a_reference_is_the_persons_own_frames_nearest_to_their_median():
    rows = merged_rows(["a", "b"], 9, 0)
    for row in rows:
        at = row["row"] % 9
        row["measures"] = dict.fromkeys(tables.MEASURES, [5, 1, 9, 4, 0, 3, 6, 8, 2][at] / 10)
    index = table(rows)
    context = found(index, index, "person", 3)
    assert context.known.all()
    assert context.rows.tolist() == [[0, 3, 5]] * 9 + [[9, 12, 14]] * 9  # measures 0.3, 0.4, 0.5


def test_measures_that_move_little_count_as_much_as_those_that_move_much():
    """The first two rows are the median in one of them each; the third is nearly so in both."""
    large = np.array([50.0, 90.0, 51.0, 10.0, 95.0])
    small = np.array([0.9, 0.5, 0.51, 0.1, 0.95])
    assert calmest(np.stack([large, small], axis=1), 1).tolist() == [2]
    assert calmest(np.stack([large, large * np.nan], axis=1), 1).tolist() == [2]


def test_frames_of_unknown_measures_are_spread_and_come_last():
    unknown = np.full((10, 2), np.nan)
    assert calmest(unknown, 2).tolist() == [2, 7]
    known = unknown.copy()
    known[3:5] = [[0.1, 0.1], [0.2, 0.3]]
    assert calmest(known, 1).tolist() in ([3], [4])
    assert calmest(known, 2).tolist() == [3, 4]
    assert calmest(known, 3).tolist() == [3, 4, 6]
    assert calmest(known[:2], 4).tolist() == [0, 1]
    assert calmest(np.full((4, 1), 0.3), 1).tolist() == [
        2
    ]  # measures that do not move tell nothing


def test_a_generated_picture_has_its_own_persons_reference_and_nobody_elses():
    rows = merged_rows(["a", "b"], 5, 4)
    for row, kind in zip(rows[-4:], ("keep", "level", "person", "keep"), strict=True):
        row["kind"] = kind
    index = table(rows)
    context = found(index, index, "person", 2)
    of = dict(zip(index["row"], index["subject"], strict=True))
    for at, row in enumerate(rows):
        if row.get("kind") == "person":
            assert not context.known[at].any()
        else:
            assert context.known[at].all()
            assert {of[place] for place in context.rows[at]} == {row["subject"]}
            assert context.rows[at].max() < 10  # real ones alone


def test_neighbours_are_those_in_time_in_the_same_sequence():
    rows = merged_rows(["a", "b"], 6, 3)
    for row in rows[3:6]:
        row["sequence"] = "z"
    index = table(rows)
    context = found(index, index, "sequence", 2)
    known = [(np.where(k, r, -1)).tolist() for r, k in zip(*context, strict=True)]
    assert known[:3] == [[-1, -1, 1, 2], [-1, 0, 2, -1], [0, 1, -1, -1]]
    assert known[3:6] == [[-1, -1, 4, 5], [-1, 3, 5, -1], [3, 4, -1, -1]]
    assert known[8] == [6, 7, 9, 10]
    assert known[12:] == [[-1] * 4] * 3  # generated ones have none
    own = np.array([row["row"] for row in rows])[:, None]
    assert (context.rows == np.where(context.known, context.rows, own)).all()


def test_a_frame_that_cannot_be_used_leaves_a_gap():
    rows = merged_rows(["a"], 5, 0)
    rows[2] |= {"row": None, "status": "no_face", "reason": "none"}
    for row in rows[3:]:
        row["row"] -= 1
    index = table(rows)
    context = found(index.filter(pl.col("row").is_not_null()), index, "sequence", 1)
    known = [(np.where(k, r, -1)).tolist() for r, k in zip(*context, strict=True)]
    assert known == [[-1, 1], [0, -1], [-1, 3], [2, -1]]


@pytest.mark.parametrize("kind", KINDS)
def test_nobodys_context_crosses_a_fold(merged, kind):
    merge = merged(synthetic=8)
    index = pl.read_parquet(merge / "index.parquet")
    of = dict(zip(index["row"], index["subject"], strict=True))
    network = NetworkSettings(context=kind)
    for fold in range(3):
        label = Label("pspi", 0.0, 16.0, "")
        material = read_material(Merged(merge), fold, tables.KINDS, label)
        for rows in vars(material.chosen).values():
            context = material.context(rows, network)
            for subject, places, known in zip(rows["subject"], *context, strict=True):
                assert {of[place] for place in places[known]} <= {subject}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_holds_what_stands_beside_its_pictures(merged, kind):
    merge = merged(synthetic=8)
    label = Label("pspi", 0.0, 16.0, "")
    material = read_material(Merged(merge), 0, tables.KINDS, label)
    config = with_context(kind).train
    loaders = {
        "train": training_batches(config, material, 1),
        "test": pictures_of(material, material.chosen.test, config),
    }
    assert isinstance(loaders["train"], Batches)
    assert isinstance(loaders["test"], Pictures)
    for role, loader in loaders.items():
        rows = getattr(material.chosen, role)
        context = material.context(rows, config.network)
        place = {row: at for at, row in enumerate(rows["row"])}
        for batch in loader:
            at = [place[row] for row in batch["rows"].tolist()]
            expected = material.images[context.rows[at].ravel()]
            np.testing.assert_array_equal(batch["context"].numpy(), expected)
            np.testing.assert_array_equal(batch["known"].numpy(), context.known[at])
            assert batch["known"].shape[1] == BATCH[kind]


def seen_in(monkeypatch):
    """Note what the network is shown in training."""
    shown = []
    original = Network.features_in

    def noting(self, pictures, context):
        if self.training:
            shown.append((pictures.detach().clone(), context))
        return original(self, pictures, context)

    monkeypatch.setattr(Network, "features_in", noting)
    return shown


def test_a_picture_and_its_context_are_augmented_alike(merged, tmp_path, monkeypatch):
    shown = seen_in(monkeypatch)
    merge = merged()
    images = np.load(merge / "images.npy")
    images[:] = images[:1]  # all alike, so that only augmentation can make them differ
    np.save(merge / "images.npy", images)
    index = pl.read_parquet(merge / "index.parquet")
    train(with_context("person", epochs=1), merge, 0, 1, tmp_path / "out")
    assert index["digest"].n_unique() == len(index)
    for pictures, context in shown:
        torch.testing.assert_close(context.pictures, pictures.repeat_interleave(2, dim=0))
        assert (pictures[0] - pictures[1]).abs().max() > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_permuted_labels_of_held_out_people_change_no_score(merged, tmp_path, kind):
    merge = merged()
    rows = tables.read(merge / "index.parquet").to_dicts()
    random = np.random.default_rng(3)
    for row in rows:  # measures that follow no label, so that references differ
        values = random.random(len(tables.MEASURES)).tolist()
        row["measures"] = dict(zip(tables.MEASURES, values, strict=True))
    tables.write(merge / "index.parquet", tables.frame("merge", rows), "merge")
    train(with_context(kind, epochs=1), merge, 0, 1, tmp_path / "out")
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 0, role="test")
    own = [row for row in rows if row["subject"] in set(splits["subject"])]
    labels = random.permutation([row["label"] for row in own])
    for row, label in zip(own, labels.tolist(), strict=True):
        row["label"] = label
    tables.write(merge / "index.parquet", tables.frame("merge", rows), "merge")
    train(with_context(kind, epochs=1), merge, 0, 1, tmp_path / "other")
    before, after = (
        pl.read_parquet(tmp_path / name / "predictions.parquet") for name in ("out", "other")
    )
    assert before["label"].to_list() != after["label"].to_list()
    assert before.drop("label").equals(after.drop("label"))


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_the_saved_networks_in_context(merged, tmp_path, kind):
    """Score and distance are of the features that the head reads."""
    merge = merged()
    train(with_context(kind, epochs=2, learning_rate=0.02), merge, 1, 3, tmp_path / "out")
    told = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    model = load_model(tmp_path / "out")
    assert model.context_fusion.change.weight.abs().max() > 0
    index = with_positions(pl.read_parquet(merge / "index.parquet"))
    rows = told.select("row").join(index, on="row", maintain_order="left")
    context = context_rows(rows, index, kind, 2)
    images = torch.from_numpy(np.load(merge / "images.npy")).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        alone = model.features(images)  # of each frame once
        own, others = alone[told["row"].to_list()], alone[context.rows.ravel()]
        features = model.context_fusion(own, others, torch.from_numpy(context.known))
        scores = model.score(model.head(features))
    assert scores.tolist() == pytest.approx(told["prediction"].to_list(), abs=1e-4)
    assert (model.score(model.head(own)) - scores).abs().max() > 1e-3
    distances = Familiarity.load(tmp_path / "out" / "features.safetensors")(features)
    np.testing.assert_allclose(told["distance"], distances, rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_taken_up_it_ends_with_the_same_weights(merged, tmp_path, monkeypatch, kind):
    check_kills(with_context(kind, state_every=1), merged(), tmp_path, monkeypatch, (2, 5))


def test_the_published_model_is_refused_a_context():
    given = {"model": "published", "network": {"context": "sequence"}}
    with pytest.raises(SettingsError, match="the published model sees one picture"):
        validate({"train": given})


def test_augmentation_of_the_same_draws_is_the_same():
    """Whatever the batch: a context is augmented apart from its picture."""
    draws = torch.rand((2, 15), generator=torch.Generator().manual_seed(1))
    pictures = torch.rand(2, 3, 16, 16)
    both = augment(pictures.repeat_interleave(3, dim=0), 1.0, draws.repeat_interleave(3, dim=0))
    torch.testing.assert_close(both[::3], augment(pictures, 1.0, draws))


def test_the_folder_tells_how_far_apart_neighbours_were(merged, tmp_path):
    merge = merged(subjects=4)
    rows = tables.read(merge / "index.parquet")
    tables.write(merge / "index.parquet", rows, "merge", {"spacing_s": 0.2})
    for kind in ("none", *KINDS):
        train(with_context(kind, epochs=1), merge, 0, 1, tmp_path / kind)
        told = json.loads((tmp_path / kind / "config.json").read_text())
        assert told.get("spacing_s", "nothing") == (0.2 if kind == "sequence" else "nothing")
