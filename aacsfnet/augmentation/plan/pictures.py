"""Which pictures are made of a person's frames: of each kind how many, and what they show.

Only the person's own labels are read: were others', the labels of a held-out subject would decide
what is made to train on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.augmentation.plan.levels import band_of, drawn, expected_variants, frames_by_band
from aacsfnet.augmentation.plan.units import units_of
from aacsfnet.config import Config, Level
from aacsfnet.errors import SettingsError
from aacsfnet.facs import PSPI_UNITS, pspi, pspi_if_known
from aacsfnet.labels import Label
from aacsfnet.seeds import seed_of

_SEED_RANGE = 2**63
#: Real frames count as at a wanted level up to this distance, points of PSPI.
_NEAR = 1.0
#: Labels and the PSPI of coded units may differ by this much, where one of them was rounded.
_ROUNDING = 0.5

#: Pictures wanted of each level where the settings leave it open.
_BY_DEFAULT = 8

Units = dict[str, float]


@dataclass(frozen=True)
class Picture:
    """A picture to make.

    Attributes:
        kind: one of `tables.KINDS`.
        variant: its number among the frame's pictures of that kind, from 0.
        label: that it shall show.
        units: intensities of the six units of PSPI that it shall show; None where unknown.
        source_units: those that its frame shows.
    """

    kind: str
    variant: int
    label: float
    units: Units | None
    source_units: Units | None

    def name(self, frame_id: str) -> str:
        """Return the picture's id: of the first kind as of old, of others with the kind in it."""
        return f"{frame_id}#{'' if self.kind == 'keep' else self.kind}{self.variant}"

    def seed(self, seed: int, frame_id: str) -> int:
        """Return the seed of its noise; no other kind's settings change it."""
        kind = () if self.kind == "keep" else (self.kind,)
        return seed_of(seed, "generate", frame_id, *kind, self.variant)


class Planner:
    """Plans the pictures of one person's frames, always the same for the same person.

    Args:
        config: `seed` and `prompts` are used.
        label: of the data set.
        own: the person's usable rows of the index: `frame_id`, `label` and action units.

    Raises:
        SettingsError: levels are wanted, but the labels are no PSPI.
    """

    def __init__(self, config: Config, label: Label, own: pl.DataFrame) -> None:
        check_levels(config, label)
        self._seed, self._plan, self._label = config.seed, config.prompts, label
        labels = own["label"].drop_nulls()
        self._frames = frames_by_band(labels, label.low, label.high)
        level = self._plan.level
        self._units: dict[str, Units] = {}
        self._lacking: dict[int, int] = {}
        self._sources: set[str] = set()
        for row in own.select("frame_id", "label", *PSPI_UNITS).iter_rows(named=True):
            if (units := known_units(row, label)) is not None:
                self._units[row["frame_id"]] = units
        self._wanted = wanted_of_each_level(config, label)
        keep, person = self._plan.keep, self._plan.person
        self._as_it_is = {
            "keep": (keep, keep_variants(config, label)),
            "person": (person, person.variants),
        }
        if self._wanted:
            near = {at: int((labels - at).abs().le(_NEAR).sum()) for at in level.levels}
            self._lacking = {at: max(0, self._wanted - found) for at, found in near.items()}
            self._sources = set(_sources(self._units, level))

    def of(self, face: dict[str, Any]) -> list[Picture]:
        """Return the pictures to make from a frame with a face, kind by kind.

        Args:
            face: row of the landmarks table.
        """
        shown = self._units.get(face["frame_id"])
        as_it_is = [
            Picture(kind, variant, face["label"], shown, shown)
            for kind in self._as_it_is
            for variant in range(self._variants(face, kind))
        ]
        return [*as_it_is, *self._levels(face["frame_id"])]

    def expected(self) -> dict[str, float]:
        """Return how many pictures of each kind are made if every frame has a face, on average."""
        return {
            kind: sum(self._expected(band, kind) * n for band, n in self._frames.items())
            for kind in self._as_it_is
        } | {"level": self._expected_levels() * len(self._sources)}

    def reason(self, frame_id: str) -> str:
        """Return why no picture is made from a frame that has a face."""
        if not self._wanted or frame_id in self._sources:
            return "the plan makes no picture from this frame"
        if frame_id not in self._units:
            why = "it shows pain, and its units of PSPI are not all coded, or contradict its label"
        else:
            why = "it shows pain or closed eyes"
        return f"the plan makes no picture from this frame, and of another level neither: {why}"

    def _variants(self, face: dict[str, Any], kind: str) -> int:
        """Return how many pictures with the frame's own label are made from it.

        Frames with pain get their variants, more of them where their band is rare and `balance`
        says so; of those without, the share `neutral_share` does: most recordings are without
        pain, and more of the same helps nobody. Chance is a hash of the frame.
        """
        purpose = ("prompts",) if kind == "keep" else ("prompts", kind)
        draw = seed_of(self._seed, *purpose, face["frame_id"]) / _SEED_RANGE
        band = band_of(face["label"], self._label.low, self._label.high)
        if band == 0:
            settings, variants = self._as_it_is[kind]
            return variants if draw < settings.neutral_share else 0
        return drawn(self._expected(band, kind), draw)

    def _expected(self, band: int, kind: str) -> float:
        """Return how many such pictures a frame of a band gets on average."""
        settings, variants = self._as_it_is[kind]
        if band == 0:
            return variants * settings.neutral_share
        return expected_variants(
            band, self._frames, variants, settings.balance, settings.max_variants
        )

    def _expected_levels(self) -> float:
        """Return how many pictures of other levels a source frame gets on average."""
        wanted = sum(self._lacking.values()) / max(1, len(self._sources))
        return min(wanted, float(self._plan.level.max_variants))

    def _levels(self, frame_id: str) -> Iterator[Picture]:
        """Yield the pictures of another level that are made from a frame."""
        if frame_id not in self._sources:
            return
        now = self._units[frame_id]
        lacking = {at: n for at, n in self._lacking.items() if n and at > float(pspi(now))}
        if not lacking:
            return
        draws = np.random.default_rng(seed_of(self._seed, "prompts", "level", frame_id))
        chances = np.array(list(lacking.values())) / sum(lacking.values())
        for variant in range(drawn(self._expected_levels(), float(draws.random()))):
            level = int(draws.choice(list(lacking), p=chances))
            units = units_of(level, bool(draws.random() < self._plan.level.rare_share), draws)
            yield Picture("level", variant, float(level), units, now)


def known_units(row: dict[str, Any], label: Label) -> Units | None:
    """Return the units of PSPI that a frame shows: as coded, or none at the lowest PSPI.

    Coding that contradicts a label of PSPI says nothing.

    Args:
        row: of the index: `label` and the units.
        label: of the data set.
    """
    coded = {unit: float(row[unit]) for unit in PSPI_UNITS if row[unit] is not None}
    if not is_pspi(label):
        return coded if pspi_if_known(coded) is not None else None
    if row["label"] is None:
        return None
    shown = dict.fromkeys(PSPI_UNITS, 0.0) | coded
    complete = len(coded) == len(PSPI_UNITS) or row["label"] == label.low
    agrees = abs(float(pspi(shown)) - row["label"]) <= _ROUNDING
    return shown if complete and agrees else None


def _sources(units: dict[str, Units], settings: Level) -> Iterator[str]:
    """Yield the frames that can be given another level: eyes open, below all wanted levels.

    What closed lids hide cannot be drawn.
    """
    for frame_id, shown in units.items():
        if not shown["au43"] and float(pspi(shown)) < settings.levels[0]:
            yield frame_id


def wanted_of_each_level(config: Config, label: Label) -> int:
    """Return how many pictures of each level a person shall have, 0 where levels mean nothing."""
    wanted = config.prompts.level.pictures
    if wanted is None:
        return _BY_DEFAULT if is_pspi(label) else 0
    return wanted


def keep_variants(config: Config, label: Label) -> int:
    """Return how many pictures of a frame as it is are made from each with pain.

    Where none are set, one, unless pictures of other levels are made: beside those the same frames
    drawn again take most of the time and teach next to nothing (docs/explanation/generation.md).
    """
    if (variants := config.prompts.keep.variants) is not None:
        return variants
    return 0 if wanted_of_each_level(config, label) else 1


def is_pspi(label: Label) -> bool:
    """Return whether a data set's labels are PSPI, so that action units say what they are."""
    return (label.name.lower(), label.low, label.high) == ("pspi", 0.0, 16.0)


def check_levels(config: Config, label: Label) -> None:
    """Raise where levels are wanted of labels that no action units make.

    Raises:
        SettingsError: `prompts.level.pictures` is set and the labels are no PSPI.
    """
    wanted = config.prompts.level.pictures
    if wanted and not is_pspi(label):
        raise SettingsError(
            f"prompts.level.pictures = {wanted}: pictures of a chosen level need labels that are "
            f"PSPI, 0 to 16; this data set's are {label.name}, {label.low:g} to {label.high:g}: "
            "set it to 0"
        )
