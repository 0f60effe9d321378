"""The report's section on the gate: what it let through, why not, and how its bounds were found."""

from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet import tables
from aacsfnet.augmentation.gate.calibration import Pairs, pool
from aacsfnet.config import Quality
from aacsfnet.evaluation.metrics import level_of
from aacsfnet.evaluation.results import Results
from aacsfnet.labels import Label
from aacsfnet.report import figures
from aacsfnet.report.names import Names

Section = dict[str, Any]

#: The gate's scores as a reader would name them.
SCORES = {
    "landmark_error": "landmark error (interocular distances)",
    "measure_difference": "largest change of a measure (interocular distances)",
    "pspi_difference": "change of estimated PSPI",
    "sharpness": "sharpness (share of the source's)",
}
SHORT = {
    "landmark_error": "landmarks",
    "measure_difference": "measures",
    "pspi_difference": "estimated PSPI",
    "sharpness": "sharpness",
}
#: The calibrated scores as the ROC's titles name them.
_CALIBRATED = {
    "measure_difference": "largest difference of a measure",
    "pspi_difference": "difference of estimated PSPI",
}
_REASONS_SHOWN = 8


def judged() -> pl.Expr:
    """Return what is true of pictures that the gate judged."""
    return pl.col("status").is_in(["ok", "rejected"])


def reasons_table(rows: pl.DataFrame, names: Names) -> list[Section]:
    """Return the commonest reasons with their counts, like ones together.

    A row can have several reasons, with "; " between them, and counts under each.
    """
    counted: dict[tuple[str, str], int] = {}
    bad = rows.filter(pl.col("status") != "ok").group_by("status", "reason").len()
    for status, reason, count in bad.sort("status", "reason").iter_rows():
        for kind in {names.kind(part) for part in (reason or "").split("; ")}:
            counted[status, kind] = counted.get((status, kind), 0) + count
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"status": status, "reason": reason, "count": count}
        for (status, reason), count in ranked[:_REASONS_SHOWN]
    ]


def gate_section(results: Results, names: Names, label: Label) -> Section:
    """Return what the gate let through and why not, and its bounds, for one view of results."""
    limits = results.config("quality").quality
    columns = ["label", "subject", "kind", "status", "reason", *SCORES]
    rows = results.columns("quality", columns)
    seen = rows.filter(judged())
    levels = level_of(seen["label"].fill_null(label.low).to_numpy(), label.low, label.high)
    by_subject = _shares(seen, "subject")
    for row in by_subject:
        row["subject"] = names.subject(row["subject"])
    distributions = _distributions(seen, limits)
    return {
        "judged": len(seen),
        "accepted": int((seen["status"] == "ok").sum()),
        "failed": len(rows.filter(pl.col("status") == "failed")),
        "by_level": _shares(seen.with_columns(pl.Series("level", levels)), "level"),
        "by_subject": by_subject,
        "by_kind": by_kind(results),
        "unchecked": unchecked(results) if len(seen.filter(kind="level")) else [],
        "reasons": reasons_table(
            rows.filter(pl.col("status").is_in(["rejected", "failed"])), names
        ),
        "figure": figures.score_histograms(f"scores-{results.experiment}", distributions, SCORES)
        if distributions
        else "",
        "calibration": calibration(results, limits),
    }


def _shares(seen: pl.DataFrame, *keys: str) -> list[Section]:
    """Return how many pictures were judged and accepted for each value of the keys."""
    return (
        seen.group_by(*keys)
        .agg(pl.len().alias("judged"), (pl.col("status") == "ok").sum().alias("accepted"))
        .sort(*keys)
        .to_dicts()
    )


def _distributions(seen: pl.DataFrame, limits: Quality) -> dict[str, Any]:
    """Return each score's values of accepted and refused pictures, and the settings' limit."""
    found = {}
    for name in SCORES:
        known = seen.filter(pl.col(name).is_finite())
        if len(known):
            kept = known.filter(pl.col("status") == "ok")[name].to_numpy()
            refused = known.filter(pl.col("status") != "ok")[name].to_numpy()
            bounds = [getattr(limits, f"{end}_{name}", None) for end in ("max", "min")]
            found[name] = (kept, refused, next((v for v in bounds if v is not None), None))
    return found


def by_kind(results: Results) -> list[Section]:
    """Return acceptance of each kind of picture, at each strength it was made with."""
    recipes = {path.name: path for path in results.paths("generate")}
    parts = [
        _verdicts(path, recipes[path.name])
        for path in results.paths("quality")
        if path.name in recipes
    ]
    rows = pl.concat([_NO_VERDICT, *parts])
    return _shares(rows.drop_nulls(["kind", "strength"]), "kind", "strength")


def unchecked(results: Results) -> list[str]:
    """Return the action units of pictures of another level that nobody could check."""
    noted = [tables.notes(path).get("unchecked_units", []) for path in results.paths("quality")]
    return sorted({unit for units in noted for unit in units})


_NO_VERDICT = pl.DataFrame(schema={"status": pl.String, "kind": pl.String, "strength": pl.Float64})


def _verdicts(judged_pictures: Path, made: Path) -> pl.DataFrame:
    """Return verdict, kind and strength of each judged picture of a shard."""
    recipes = tables.read(made, ["image_id", "recipe"])
    strength = pl.col("recipe").str.json_path_match("$.strength").cast(pl.Float64, strict=False)
    recipes = recipes.select("image_id", strength.alias("strength"))
    rows = tables.read(judged_pictures, ["image_id", "status", "kind"]).filter(judged())
    return rows.join(recipes, on="image_id", how="left").select("status", "kind", "strength")


def calibration(results: Results, limits: Quality) -> Section | None:
    """Return what pairs of real frames say of the gate's bounds; None without any pairs.

    Pairs are pooled over people only here, to be looked at: each person's bound was chosen from
    that person's own.
    """
    notes = [tables.notes(path).get("calibration") for path in results.paths("quality")]
    noted: list[dict[str, Any]] = [person for shard in notes for person in shard or ()]
    curves: dict[str, Any] = {}
    rows: list[Section] = []
    for score, title in _CALIBRATED.items():
        persons = [Pairs.read(score, each["pairs"][score]) for each in noted]
        if not persons:
            continue
        pooled = pool(persons)
        if not pooled.same_pairs or not pooled.different_pairs:
            continue
        highest: float = getattr(limits, f"max_{score}")
        points = {
            "settings": (f"{highest:g}", pooled.at(highest)),
            "best for all": (f"{pooled.best:g}", pooled.at(pooled.best)),
        }
        if score == "measure_difference":
            own: list[float] = [each["bound"] for each in noted]
            words = " to ".join(f"{bound:g}" for bound in sorted({min(own), max(own)}))
            points = {"in force": (f"{words}, by person", _in_force(persons, own, pooled))} | points
        same, different = pooled.shares()
        curves[title] = (different, same, {name: at for name, (_, at) in points.items()})
        rows += [
            {"score": title, "which": name, "bound": bound, "refused": 1 - equal, "passed": other}
            | {"area": pooled.area, "same": pooled.same_pairs, "different": pooled.different_pairs}
            for name, (bound, (equal, other)) in points.items()
        ]
    if not curves:
        return None
    return {"rows": rows, "figure": figures.roc(f"roc-{results.experiment}", curves)}


def _in_force(persons: list[Pairs], bounds: list[float], pooled: Pairs) -> tuple[float, float]:
    """Return which share of same and of different pairs passes when each has its own bound."""
    same = different = 0.0
    for person, bound in zip(persons, bounds, strict=True):
        shares = person.at(bound)
        same += shares[0] * person.same_pairs if person.same_pairs else 0.0
        different += shares[1] * person.different_pairs if person.different_pairs else 0.0
    return same / pooled.same_pairs, different / pooled.different_pairs
