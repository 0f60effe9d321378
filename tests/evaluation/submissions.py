"""Files of predictions as people send them: clean ones, and each with one planted fault."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import scipy.io

from aacsfnet.evaluation import metrics

FRAMES = 40


def world(seed: int, people: int = 12, sequences: int = 3) -> pl.DataFrame:
    """Frames of people in whose faces pain comes and goes, and what a network says of them.

    The last person shows no pain at all.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        bias, slope = rng.normal(0.3, 0.4), rng.uniform(0.5, 1.0)
        for sequence in range(sequences):
            place = np.arange(FRAMES)
            course = np.zeros(FRAMES)
            for _ in range(rng.integers(1, 3)):
                middle, width = rng.uniform(5, FRAMES - 5), rng.uniform(3, 7)
                course += rng.uniform(2, 15) * np.exp(-(((place - middle) / width) ** 2))
            label = np.clip(np.round(course), 0, 15) * (person < people - 1)
            noise = np.convolve(rng.normal(0, 1, FRAMES + 2), [0.3, 0.4, 0.3], "valid")
            predicted = bias + slope * label + noise * (0.4 + 0.05 * label)
            rows += [
                {
                    "subject": f"p{person + 1:02d}",
                    "sequence": f"q{sequence + 1}",
                    "frame": f"p{person + 1:02d}/q{sequence + 1}/{n + 1:04d}.png",
                    "pspi": float(label[n]),
                    "prediction": float(predicted[n]),
                    "fold": person % 4,
                }
                for n in range(FRAMES)
            ]
    return pl.DataFrame(rows)


def plain(rows: pl.DataFrame, folder: Path) -> Path:
    """Only tested frames, as CSV."""
    path = folder / "plain.csv"
    rows.drop("fold").write_csv(path)
    return path


def with_training(rows: pl.DataFrame) -> pl.DataFrame:
    """One held-out third: training rows without predictions, generated ones of training people."""
    test = pl.col("subject") >= "p09"
    marked = rows.drop("fold").with_columns(
        split=pl.when(test).then(pl.lit("test")).otherwise(pl.lit("train")),
        prediction=pl.when(test).then("prediction"),
        synthetic=pl.lit(0),
        source=pl.lit(""),
    )
    generated = (
        marked.filter((pl.col("split") == "train") & (pl.col("pspi") > 3))
        .with_columns(source=pl.col("frame"), synthetic=pl.lit(1))
        .with_columns(frame=pl.col("frame") + "#keep0")
    )
    return pl.concat([marked, generated])


def split_table(rows: pl.DataFrame, folder: Path) -> Path:
    """Training and tested rows, as TSV."""
    path = folder / "split.tsv"
    with_training(rows).write_csv(path, separator="\t")
    return path


def of_folds(rows: pl.DataFrame, folder: Path) -> Path:
    """Two seeds of a cross-validation, as Parquet; some frames have no face and say so."""
    faceless = pl.int_range(pl.len()) % 97 == 5
    seeds = [
        rows.with_columns(
            seed=pl.lit(seed),
            prediction=pl.when(~faceless).then((pl.col("prediction") + 0.1 * seed).clip(0, 16)),
            reason=pl.when(faceless).then(pl.lit("no face")).otherwise(pl.lit("")),
        )
        for seed in (1, 2)
    ]
    path = folder / "folds.parquet"
    pl.concat(seeds).write_parquet(path)
    return path


def arrays(rows: pl.DataFrame, folder: Path, **more: object) -> Path:
    """Arrays, with the PCC and its interval over people, as NPZ."""
    path = folder / "arrays.npz"
    names = {"subject": "subjects", "sequence": "video", "pspi": "y_true", "prediction": "y_pred"}
    given = {new: rows[old].to_numpy() for old, new in names.items()}
    given |= {"subjects": rows["subject"].to_numpy().astype(str)}
    given |= {"video": rows["sequence"].to_numpy().astype(str)}
    given["pcc"] = metrics.pcc(rows["prediction"], rows["pspi"])
    given["pcc_ci"] = over_people(rows)
    np.savez(path, **(given | more))
    return path


def over_people(rows: pl.DataFrame) -> list[float]:
    """A subject bootstrap of the PCC, frame by frame."""
    rng = np.random.default_rng(1)
    parts = rows.partition_by("subject", maintain_order=True)
    draws = []
    for _ in range(200):
        drawn = pl.concat([parts[at] for at in rng.integers(0, len(parts), len(parts))])
        draws.append(metrics.pcc(drawn["prediction"], drawn["pspi"]))
    return np.quantile(draws, [0.025, 0.975]).tolist()


def over_frames(rows: pl.DataFrame) -> list[float]:
    """The same with frames drawn as if they were independent."""
    rng = np.random.default_rng(1)
    got, labels = rows["prediction"].to_numpy(), rows["pspi"].to_numpy()
    draws = []
    for _ in range(200):
        taken = rng.integers(0, len(labels), len(labels))
        draws.append(metrics.pcc(got[taken], labels[taken]))
    return np.quantile(draws, [0.025, 0.975]).tolist()


def matlab(rows: pl.DataFrame, folder: Path) -> Path:
    """A visual analogue scale with fractions, clipped at both ends, as MAT."""
    path = folder / "vas.mat"
    vas = np.clip(rows["pspi"].to_numpy() * 0.61 + 0.013 * (np.arange(len(rows)) % 7), 0, 10)
    given = {
        "vas": vas,
        "predictions": np.clip(rows["prediction"].to_numpy() * 0.6, 0, 10),
        "participant": np.array(rows["subject"].to_list(), dtype=object),
        "frame": np.tile(np.arange(1, FRAMES + 1), len(rows) // FRAMES),
        "session": np.array(rows["sequence"].to_list(), dtype=object),
    }
    scipy.io.savemat(path, given)
    return path


def decimal_comma(rows: pl.DataFrame, folder: Path) -> Path:
    """A spreadsheet's semicolons and commas; frames are numbered within sequences."""
    path = folder / "comma.csv"
    number = pl.col("frame").str.extract(r"(\d+)\.png").cast(pl.Int64)
    rows.select("subject", "sequence", number.alias("Frame No."), "pspi", "prediction").write_csv(
        path, separator=";", decimal_comma=True
    )
    return path


CLEAN: dict[str, Callable[[pl.DataFrame, Path], Path]] = {
    "plain": plain,
    "split": split_table,
    "folds": of_folds,
    "arrays": arrays,
    "matlab": matlab,
    "comma": decimal_comma,
}


def _subject_overlap(rows: pl.DataFrame, folder: Path) -> Path:
    """Two sequences of somebody tested are trained on."""
    leaked = with_training(rows).with_columns(
        split=pl.when((pl.col("subject") == "p10") & (pl.col("sequence") != "q1"))
        .then(pl.lit("train"))
        .otherwise("split")
    )
    leaked.write_csv(folder / "overlap.csv")
    return folder / "overlap.csv"


def _random_split(rows: pl.DataFrame, folder: Path) -> Path:
    rng = np.random.default_rng(2)
    rows.with_columns(fold=pl.Series(rng.integers(0, 5, len(rows)))).write_csv(folder / "r.csv")
    return folder / "r.csv"


def _synthetic_leak(rows: pl.DataFrame, folder: Path) -> Path:
    """Generated pictures of somebody tested, under a name of their own, in training."""
    good = with_training(rows)
    source = rows.filter((pl.col("subject") == "p11") & (pl.col("pspi") > 2)).head(9)
    made = source.select(
        subject=pl.lit("synth-1"),
        sequence=pl.lit("made"),
        frame="gen/" + pl.int_range(pl.len()).cast(pl.String),
        pspi="pspi",
        prediction=pl.lit(None, pl.Float64),
        split=pl.lit("train"),
        synthetic=pl.lit(1),
        source="frame",
    )
    pl.concat([good, made], how="diagonal_relaxed").write_parquet(folder / "made.parquet")
    return folder / "made.parquet"


def _zero_tail(rows: pl.DataFrame, folder: Path) -> Path:
    """The slots of a last batch that nothing filled."""
    tail = np.zeros(17)
    return arrays(
        rows,
        folder,
        y_true=np.concatenate([rows["pspi"].to_numpy(), tail]),
        y_pred=np.concatenate([rows["prediction"].to_numpy(), tail]),
        subjects=np.array([*rows["subject"].to_list(), *[""] * 17]),
        video=np.array([*rows["sequence"].to_list(), *[""] * 17]),
    )


def _clipped(rows: pl.DataFrame, folder: Path) -> Path:
    above = pl.col("prediction") * 1.7
    return plain(rows.with_columns(prediction=above.clip(0, 15)), folder)


def _rescaled(rows: pl.DataFrame, folder: Path) -> Path:
    return plain(rows.with_columns(pspi=pl.col("pspi") / 16), folder)


def _cast(rows: pl.DataFrame, folder: Path) -> Path:
    """The label is the PSPI of the action units without its fraction."""
    rows.with_columns(
        au4=pl.col("pspi") / 3 + 0.3,
        au6=pl.col("pspi") / 6,
        au7=pl.lit(0.0),
        au9=pl.lit(0.0),
        au10=pl.lit(0.0),
        au43=pl.lit(0.0),
        pspi=(pl.col("pspi") / 2 + 0.3).floor(),
    ).write_csv(folder / "units.csv")
    return folder / "units.csv"


def _doubled(rows: pl.DataFrame, folder: Path) -> Path:
    return plain(pl.concat([rows, rows.slice(100, 12)]), folder)


def _dropped(rows: pl.DataFrame, folder: Path) -> Path:
    return plain(rows.filter(~((pl.int_range(pl.len()) % 53).is_between(20, 23))), folder)


def _shifted(rows: pl.DataFrame, folder: Path) -> Path:
    return plain(rows.with_columns(prediction=np.roll(rows["prediction"].to_numpy(), 3)), folder)


def _blank_zero(rows: pl.DataFrame, folder: Path) -> Path:
    """One in nine labels is missing, and became 0."""
    blank = pl.int_range(pl.len()) % 9 == 4
    return plain(rows.with_columns(pspi=pl.when(blank).then(0.0).otherwise("pspi")), folder)


def _constant(rows: pl.DataFrame, folder: Path) -> Path:
    """One fold's network collapsed."""
    said = pl.when(pl.col("fold") == 2).then(0.8125).otherwise("prediction")
    return of_folds(rows.with_columns(prediction=said), folder)


def _undefined_pcc(rows: pl.DataFrame, folder: Path) -> Path:
    """Each person's PCC stands beside, 0 for whom there is none."""
    of_person = {
        subject: float(np.nan_to_num(metrics.pcc(part["prediction"], part["pspi"])))
        for (subject,), part in rows.group_by("subject", maintain_order=True)
    }
    return plain(rows.with_columns(pcc=pl.col("subject").replace_strict(of_person)), folder)


def _frames_bootstrapped(rows: pl.DataFrame, folder: Path) -> Path:
    return arrays(rows, folder, pcc_ci=over_frames(rows))


FAULTS: dict[str, Callable[[pl.DataFrame, Path], Path]] = {
    "subject_overlap": _subject_overlap,
    "random_split": _random_split,
    "synthetic_leak": _synthetic_leak,
    "zero_tail": _zero_tail,
    "clipped": _clipped,
    "rescaled": _rescaled,
    "cast": _cast,
    "doubled": _doubled,
    "dropped": _dropped,
    "shifted": _shifted,
    "blank_zero": _blank_zero,
    "constant": _constant,
    "undefined_pcc": _undefined_pcc,
    "frames_bootstrapped": _frames_bootstrapped,
}
