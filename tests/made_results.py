"""Small finished results: every table of the flow, with plausible content and some bad frames."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.augmentation.gate.calibration import BOUNDS, Pairs
from aacsfnet.config import Config
from aacsfnet.datasets.base import Label, shards_of
from aacsfnet.layout import Layout
from aacsfnet.stages import SHARDED

LABEL = Label("pspi", 0.0, 16.0, "Prkachin and Solomon's pain intensity, observed expression")
SIZE = 64
FRAMES = 8


@dataclass(frozen=True)
class Made:
    """Where the results stand, and what they are of."""

    config: Config
    folder: Path
    subjects: tuple[str, ...]

    def experiment(self, name: str) -> Path:
        return self.folder / "experiments" / name

    def with_own(self, name: str, **overrides: dict[str, object]) -> "Made":
        """Add an experiment that overrides stages: it has copies of them and what follows."""
        experiments = self.config.experiments | {name: overrides}
        config = self.config.model_copy(update={"experiments": experiments})
        layout = Layout(config, self.folder)
        shutil.copytree(self.experiment("full"), self.experiment(name))
        for stage in (*SHARDED, "merge"):
            if layout.scope(name, stage):
                shutil.copytree(self.folder / stage, self.experiment(name) / stage)
        return Made(config, self.folder, self.subjects)


def settings(folder: Path, **changes: object) -> Config:
    defaults: dict[str, object] = {
        "results": folder,
        "experiments": {"full": {}, "no-generation": {"train": {"synthetic": False}}},
        "report": {"examples": 4},
        "evaluate": {"bootstrap": 200},
    }
    return Config.model_validate(defaults | changes)


@pytest.fixture(autouse=True, scope="package")
def label():
    """The label of the data set, without the data set."""

    class Source:
        label = LABEL

    with pytest.MonkeyPatch.context() as patch:
        for module in ("evaluation.evaluate", "report.report"):
            patch.setattr(f"aacsfnet.{module}.open_dataset", lambda config: Source())
        yield LABEL


def frame_rows(subjects) -> list[dict[str, object]]:
    """Two sequences a subject; pain rises and falls in the second; the last frame has no face."""
    rows = []
    for number, subject in enumerate(subjects):
        for sequence in ("rest", "move"):
            for position in range(FRAMES):
                wave = np.sin(np.pi * position / (FRAMES - 1))
                label = round(min(3 + number, 16) * wave) if sequence == "move" else 0
                faceless = sequence == "rest" and position == FRAMES - 1
                rows.append(
                    {
                        "frame_id": f"{subject}/{sequence}/{position:04d}",
                        "subject": subject,
                        "sequence": sequence,
                        "label": float(label),
                        "status": "ok",
                        "reason": "",
                        "position": position,
                        "path": f"{subject}/{sequence}/{position}.png",
                        "faceless": faceless,
                    }
                )
    return rows


def face(label: float, seed: int) -> np.ndarray:
    """An oval on a ground, darker with pain: enough to tell pictures apart."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    oval = (x / 0.32) ** 2 + (y / 0.42) ** 2 < 1
    picture = np.full((SIZE, SIZE, 3), 90, np.uint8)
    picture[oval] = (210 - 8 * int(label), 170, 150)
    return picture + rng.integers(0, 10, picture.shape, dtype=np.uint8)


def mesh() -> np.ndarray:
    angle = np.linspace(0, 40 * np.pi, 478)
    radius = np.linspace(0.02, 0.4, 478) * SIZE
    return np.stack(
        [SIZE / 2 + radius * np.cos(angle), SIZE / 2 + radius * np.sin(angle), 0 * angle], 1
    ).astype(np.float32)


def write_frames(folder: Path, subjects, rows) -> None:
    """Write index, crop and landmarks."""
    shards = shards_of(dict.fromkeys(subjects, 2 * FRAMES), 10_000)
    of_subject = dict(zip(sorted(subjects), shards, strict=True))
    index = [
        {key: value for key, value in row.items() if key != "faceless"}
        | {"shard": of_subject[row["subject"]], "sex": "", "age_group": ""}
        for row in rows
    ]
    tables.write(folder / "index.parquet", tables.frame("index", index), "index")
    for subject, shard in of_subject.items():
        rows_of: dict[str, list] = {"crop": [], "landmarks": []}
        for number, row in enumerate(one for one in rows if one["subject"] == subject):
            kept = {key: row[key] for key in ("frame_id", "subject", "sequence")}
            kept |= {"status": "ok", "reason": ""}
            if row["faceless"]:
                kept |= {"status": "no_face", "reason": f"no face in {row['path']}"}
                for stage in rows_of.values():
                    stage.append(dict(kept))
                continue
            picture = tables.encode_png(face(row["label"], number), "crop.png")
            rows_of["crop"].append(kept | {"image": picture, "faces": 1, "confidence": 0.9})
            rows_of["landmarks"].append(kept | {"landmarks_px": mesh()})
        for stage, found in rows_of.items():
            tables.write(folder / stage / f"{shard}.parquet", tables.frame(stage, found), stage)


def write_generated(folder: Path, subjects, rows, accept: bool) -> None:
    """Write prompts, depth, generate and quality: one picture from each frame with pain."""
    recipe = json.dumps({"model": {"name": "bundled"}, "steps": 20, "strength": 0.5})
    shards = shards_of(dict.fromkeys(subjects, 2 * FRAMES), 10_000)
    for subject, shard in zip(sorted(subjects), shards, strict=True):
        prompts, depth, generate, quality = [], [], [], []
        for number, row in enumerate(one for one in rows if one["subject"] == subject):
            kept = {key: row[key] for key in ("frame_id", "subject", "sequence", "label")}
            kept |= {"image_id": f"{row['frame_id']}#0", "status": "ok", "reason": ""}
            if row["faceless"]:
                kept |= {"status": "no_face", "reason": f"no face in {row['path']}"}
            elif row["label"] == 0:
                kept |= {"status": "not_selected", "reason": "no pain"}
            source = {"source_frame_id": row["frame_id"]}
            if kept["status"] != "ok":
                prompts.append(kept)
                depth.append(kept)
                generate.append(kept | source)
                quality.append(kept | source)
                continue
            kept |= {"kind": "keep"}
            height = np.add.outer(np.arange(SIZE), np.arange(SIZE)).astype(np.uint16) * 500
            depth.append(kept | {"image": tables.encode_png(height, "depth.png")})
            words = {"prompt": "lowered brows, photo of a face", "negative_prompt": "blurred"}
            prompts.append(kept | words | {"tokens": 12, "variant": 0, "seed": number})
            picture = tables.encode_png(face(row["label"], 1000 + number), "picture.png")
            generate.append(
                kept | source | {"image": picture, "recipe": recipe, "variant": 0, "seed": number}
            )
            good = accept and number % 2 == 0
            error = 0.03 if good else 0.31
            verdict = (
                {} if good else {"status": "rejected", "reason": "landmark error 0.310 > 0.05"}
            )
            scores = {"landmark_error": error, "measure_difference": 0.02, "sharpness": 0.8}
            quality.append(kept | source | scores | verdict)
        notes = {"quality": {"calibration": [calibration_notes()]}}
        made = {"prompts": prompts, "depth": depth, "generate": generate, "quality": quality}
        for stage, found in made.items():
            path = folder / stage / f"{shard}.parquet"
            tables.write(path, tables.frame(stage, found), stage, notes.get(stage))


def calibration_notes() -> dict[str, object]:
    """Pairs of real frames: 8 of 10 with equal and 1 of 4 with other labels pass the own bound."""
    same, different = np.repeat([0.01, 0.2], [8, 2]), np.repeat([0.04, 0.1, 0.25], [1, 2, 1])
    pairs = {
        "measure_difference": Pairs.of(BOUNDS["measure_difference"], same, different),
        "pspi_difference": Pairs.of(BOUNDS["pspi_difference"], 20 * same, 20 * different),
    }
    noted = {score: counted.noted() for score, counted in pairs.items()}
    return {"bound": 0.05, "pairs": noted}


def write_merge(folder: Path, subjects, rows) -> None:
    """Write merge/: real crops, then accepted pictures; two folds."""
    merged = []
    for row in rows:
        kept = {key: row[key] for key in ("frame_id", "subject", "sequence", "label")}
        faceless = {"status": "no_face", "reason": ""} if row["faceless"] else {}
        merged.append(
            kept
            | {"image_id": row["frame_id"], "status": "ok", "reason": "", "synthetic": False}
            | {"pool": False}
            | faceless
        )
    for path in sorted((folder / "quality").glob("*.parquet")):
        for row in tables.read(path).iter_rows(named=True):
            if row["status"] in ("ok", "rejected", "failed"):
                names = ("image_id", "frame_id", "subject", "sequence", "label", "status", "reason")
                kept = {key: row[key] for key in (*names, "source_frame_id")}
                merged.append(kept | {"synthetic": True, "pool": False})
    place = 0
    for row in merged:
        if row["status"] == "ok":
            row["row"], place = place, place + 1
    tables.write(folder / "merge" / "index.parquet", tables.frame("merge", merged), "merge")
    np.save(folder / "merge" / "images.npy", np.zeros((place, 8, 8, 3), np.uint8))
    splits = [
        (fold, subject, "test" if number % 2 == fold else "validation" if number < 2 else "train")
        for fold in range(2)
        for number, subject in enumerate(sorted(subjects))
    ]
    schema = {"fold": pl.Int32, "subject": pl.String, "role": pl.String}
    pl.DataFrame(splits, schema=schema, orient="row").write_parquet(
        folder / "merge" / "splits.parquet"
    )


def prediction_rows(rows, fold: int, seed: int, noise: float, subjects) -> pl.DataFrame:
    """One fold's predictions: half the truth and noise."""
    rng = np.random.default_rng([seed, fold])
    tested = [name for number, name in enumerate(sorted(subjects)) if number % 2 == fold]
    kept = [row for row in rows if row["subject"] in tested and not row["faceless"]]
    labels = np.array([row["label"] for row in kept])
    return pl.DataFrame(
        {
            "frame_id": [row["frame_id"] for row in kept],
            "subject": [row["subject"] for row in kept],
            "sequence": [row["sequence"] for row in kept],
            "label": labels,
            "prediction": (0.6 * labels + 0.4 + rng.normal(0, noise, len(kept))).astype(np.float32),
            "mean_label": [1.5 + 0.1 * fold] * len(kept),
            "fold": [fold] * len(kept),
            "seed": [seed] * len(kept),
        },
        schema_overrides={"fold": pl.Int32, "seed": pl.Int64},
    )


def write_experiment(made: Made, name: str, rows, noise: float, seeds=(1,)) -> None:
    from aacsfnet.evaluation.evaluate import evaluate

    paths = []
    for seed in seeds:
        for fold in range(2):
            folder = made.experiment(name) / f"seed-{seed}" / f"fold-{fold}"
            folder.mkdir(parents=True)
            paths.append(folder / "predictions.parquet")
            prediction_rows(rows, fold, seed, noise, made.subjects).write_parquet(paths[-1])
            epochs = range(1, 5)
            pl.DataFrame(
                {
                    "epoch": epochs,
                    "train_loss": [1 / epoch for epoch in epochs],
                    "validation_mae": [1.5 / epoch for epoch in epochs],
                    "validation_pcc": [float("nan"), 0.2, 0.4, 0.5],
                }
            ).write_csv(folder / "history.csv")
            (folder / "config.json").write_text(
                json.dumps({"seconds": 60.0, "training": {"pretrained": "bundled"}})
            )
    evaluate(made.config, paths, made.experiment(name))


def write_explanation(made: Made, share=0.25, models=None) -> None:
    """Write what the first experiment reads: lips and hair."""
    regions = dict.fromkeys(tables.PARTS, 0.0) | {"lips": share, "hair and background": 1 - share}
    rows = [
        {
            "frame_id": f"{subject}/move/{level}",
            "subject": subject,
            "sequence": "move",
            "label": float(level),
            "status": "ok",
            "reason": "",
            "branch": branch,
            "amount": {"channel": 3.0, "fused": 4.0}[branch],
            "shares": regions,
            "areas": dict.fromkeys(tables.PARTS, 1 / 6),
            "image": tables.encode_png(np.eye(16, dtype=np.uint16) * 60000, "map.png"),
        }
        for subject in made.subjects
        for level in (0, 4)
        for branch in ("channel", "fused")
    ]
    face = np.random.default_rng(0).uniform(2, 14, (478, 2)).tolist()
    notes = {"models": models or {}, "face": face}
    path = made.experiment("full") / "explanation.parquet"
    tables.write(path, tables.frame("explain", rows), "explain", notes)


def make_results(
    folder: Path,
    subjects=("anna-1", "ben-2", "cleo-3", "dora-4"),
    *,
    accept: bool = True,
    seeds=(1,),
    **changes: object,
) -> Made:
    """Write everything; return where it is."""
    made = Made(settings(folder, **changes), folder / "demo", tuple(subjects))
    rows = frame_rows(subjects)
    write_frames(made.folder, subjects, rows)
    write_generated(made.folder, subjects, rows, accept)
    write_merge(made.folder, subjects, rows)
    for name, noise in (("full", 0.5), ("no-generation", 1.5)):
        write_experiment(made, name, rows, noise, seeds)
    return made


@pytest.fixture(scope="package")
def original(tmp_path_factory, label) -> Made:
    """Finished results that no test may change."""
    return make_results(tmp_path_factory.mktemp("results"))


@pytest.fixture
def made(original, tmp_path) -> Made:
    """Finished results of a test's own."""
    shutil.copytree(original.folder, tmp_path / "demo")
    return Made(settings(tmp_path), tmp_path / "demo", original.subjects)
