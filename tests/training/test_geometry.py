"""The auxiliary task: what it lessens, what it leaves alone, and what it cannot reach."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from aacsfnet import load_model, tables
from aacsfnet.errors import WorkError
from aacsfnet.faces.geometry import measure_all
from aacsfnet.labels import Label
from aacsfnet.landmark_sets import MIRROR
from aacsfnet.layout import Merged
from aacsfnet.tables import MEASURES
from aacsfnet.training.build import build
from aacsfnet.training.fit import fit
from aacsfnet.training.geometry import geometry_loss, mirrored, standardised
from aacsfnet.training.material import read_material
from aacsfnet.training.module import Training
from aacsfnet.training.train import train
from tests.faces.test_geometry import face
from tests.training.test_train import check_kills, equal, settings, weights_of


def measured(merge, value=None):
    """Give all measures of each picture one value: the share of dark pixels, which lids leave."""
    index, images = tables.read(merge / "index.parquet"), np.load(merge / "images.npy")
    rows = index.to_dicts()
    for row in rows:
        dark = float((images[row["row"]] < 40).mean()) if value is None else value
        row["measures"] = dict.fromkeys(MEASURES, dark)
    tables.write(merge / "index.parquet", tables.frame("merge", rows), "merge")
    return merge


def material_of(merge):
    return read_material(Merged(merge), 0, tables.KINDS, Label("pspi", 0.0, 16.0, ""))


def test_the_loss_is_the_mean_over_what_is_known():
    found = torch.tensor([[0.5, 9.0], [2.0, -3.0]], requires_grad=True)
    measures = torch.tensor([[0.0, torch.nan], [0.0, -3.0]])
    loss = geometry_loss(found, measures)
    assert loss.item() == pytest.approx((0.5 * 0.5**2 + (2.0 - 0.5) + 0.0) / 3)
    loss.backward()
    torch.testing.assert_close(found.grad, torch.tensor([[0.5 / 3, 0.0], [1.0 / 3, 0.0]]))


def test_a_batch_of_which_nothing_is_known_gives_no_gradient():
    found = torch.randn(3, 15, requires_grad=True)
    loss = geometry_loss(found, torch.full((3, 15), torch.nan))
    loss.backward()
    assert loss.item() == 0
    assert not found.grad.any()


def test_measures_are_standardised_by_the_training_pictures_and_their_mirror_images():
    of = np.random.default_rng(0).normal(3.0, 2.0, (50, 15))
    right, left = (MEASURES.index(f"brow_height_{side}") for side in ("right", "left"))
    partly, constant = MEASURES.index("cheek_raise"), MEASURES.index("mouth_width")
    of[:7, partly], of[:, constant] = np.nan, 1.25
    found = standardised(of, of)
    both = np.concatenate([of[:, right], of[:, left]])
    wanted = (of[:, right] - both.mean()) / both.std()
    np.testing.assert_allclose(found[:, right], wanted, atol=1e-5)
    known = of[7:, partly]
    np.testing.assert_allclose(found[7:, partly], (known - known.mean()) / known.std(), atol=1e-5)
    assert np.isnan(found[:7, partly]).all()
    assert np.isnan(found[:, constant]).all()


def test_a_mirrored_picture_has_the_measures_of_the_mirrored_face():
    meshes = face() + np.random.default_rng(0).normal(0, 2, (4, 478, 3))
    measured, there = (
        torch.from_numpy(np.stack(list(measure_all(each).values()), axis=1))
        for each in (meshes, meshes[:, MIRROR] * (-1, 1, 1))
    )
    turned = torch.tensor([True, False, True, False])
    found = mirrored(measured, turned)
    torch.testing.assert_close(found[turned], there[turned])
    assert torch.equal(found[~turned], measured[~turned])
    assert (there - measured).abs().max() > 0.05


def test_it_learns_the_measures_of_pictures_whose_labels_say_nothing(merged, tmp_path):
    merge = measured(merged(synthetic=8))
    index = tables.read(merge / "index.parquet").with_columns(label=pl.col("label").shuffle(seed=0))
    tables.write(merge / "index.parquet", index, "merge")
    material = material_of(merge)
    nobody = replace(material.chosen, validation=material.chosen.validation.head(0))
    material = replace(material, chosen=nobody)  # so the last epoch is kept
    truth = torch.from_numpy(material.training_measures())
    rows = material.chosen.train["row"].to_numpy()
    pictures = torch.from_numpy(material.images[rows]).permute(0, 3, 1, 2) / 255
    errors = {}
    for weight in (1e-9, 3.0):
        given = settings(
            geometry_weight=weight, epochs=12, augmentation=0.0, learning_rate=3e-3
        ).train
        model = build(given, material, 1)
        folders = {"state": tmp_path / str(weight), "events": tmp_path / "tensorboard"}
        training = fit(model, given, material, seed=1, device=torch.device("cpu"), **folders)
        with torch.no_grad():
            found = training.geometry(model.features(pictures))
        errors[weight] = float((found - truth).square().nanmean())
    assert errors[3.0] < 0.5 * errors[1e-9]


def test_without_weight_the_measures_change_nothing(merged, tmp_path):
    merge = merged(synthetic=8)
    for name, value in (("own", None), ("others", 0.5), ("unknown", float("nan"))):
        train(settings(epochs=1), measured(merge, value), 0, 1, tmp_path / name)
    own, *others = (weights_of(tmp_path / name) for name in ("own", "others", "unknown"))
    assert all(equal(own, other) for other in others)


def test_the_task_changes_neither_the_start_nor_what_is_drawn(merged, tmp_path, monkeypatch):
    """Its head starts at 0, so the first step is as without it, but for rounding."""
    merge, first = measured(merged()), []

    def noting(self, optimizer):
        if self.global_step == 0:
            grown = {name: each.grad.clone() for name, each in self.model.named_parameters()}
            first.append(({k: v.clone() for k, v in self.model.state_dict().items()}, grown))

    monkeypatch.setattr(Training, "on_before_optimizer_step", noting)
    for weight in (0.0, 0.5):
        train(settings(epochs=1, geometry_weight=weight), merge, 0, 1, tmp_path / str(weight))
    (plain, plain_gradient), (helped, helped_gradient) = first
    assert equal(plain, helped)
    torch.testing.assert_close(plain_gradient, helped_gradient, atol=1e-6, rtol=1e-4)
    plain, helped = (weights_of(tmp_path / name) for name in ("0.0", "0.5"))
    assert not equal(plain, helped)
    assert plain.keys() == helped.keys() == load_model(tmp_path / "0.5").state_dict().keys()


def test_killed_and_taken_up_it_ends_with_the_same_weights(merged, tmp_path, monkeypatch):
    config = settings(state_every=1, geometry_weight=0.7, ema=0.8)
    check_kills(config, measured(merged()), tmp_path, monkeypatch, (2, 5))


def test_the_published_network_can_have_it_too(merged, tmp_path):
    merge = measured(merged(size=64))
    config = settings(model="published", pretrained="bundled", epochs=1, geometry_weight=0.5)
    train(config, merge, 0, 1, tmp_path / "out")
    assert len(pl.read_parquet(tmp_path / "out" / "predictions.parquet")) == 20


def test_where_no_measure_is_known_one_line_says_so(merged, tmp_path):
    merge = measured(merged(), float("nan"))
    with pytest.raises(WorkError, match=r"train\.geometry_weight: no facial measure is known"):
        train(settings(geometry_weight=0.5), merge, 0, 1, tmp_path / "out")
