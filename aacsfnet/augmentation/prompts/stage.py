"""The prompts stage: which pictures to make from which frame, and the words for each.

Nothing here needs a GPU; the table can be read, and questioned, before any picture is made.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.augmentation.edit.start import warp_of
from aacsfnet.augmentation.plan.pictures import Picture, Planner
from aacsfnet.augmentation.prompts.published import coordinate_prompt, cut
from aacsfnet.augmentation.prompts.words import (
    fit,
    head_words,
    level_words,
    other_subject_words,
    subject_words,
    unit_phrases,
)
from aacsfnet.config import Config, Prompts
from aacsfnet.datasets import Label, open_dataset
from aacsfnet.datasets.shards import noted_rows
from aacsfnet.errors import SettingsError
from aacsfnet.faces.action_units import estimated_units, known_or_estimated, usual_faces
from aacsfnet.faces.visibility import SEEN_ON, covered, hidden_units, visible_of
from aacsfnet.facs import ACTION_UNITS
from aacsfnet.made import from_tables

log = logging.getLogger(__name__)


def prompts(config: Config, index: Path, landmarks: Path, output: Path) -> None:
    """Write one row for each picture to make from the frames of one shard.

    A frame from which none is made keeps one row, `not_selected`.

    Args:
        config: `dataset`, `index`, `seed`, `prompts`, `generate.model`, `crop.size` and
            `landmarks.min_visibility` are used.
        index: table of the whole index; only the shard's subjects are read of it.
        landmarks: table of the shard.
        output: table to write.

    Raises:
        SettingsError: a template that cannot be filled or does not fit.
        ModelFileError: the generator's folder has no tokenizer.
    """
    from aacsfnet.augmentation.diffusion.model_files import load_tokenizer

    tokenizer = load_tokenizer(config.generate.model)
    count = token_counter(tokenizer)
    _check_negative(config.prompts, count)
    label = open_dataset(config).label
    faces = tables.read(landmarks)
    subjects = faces["subject"].unique().to_list()
    own = tables.read(index, where=pl.col("subject").is_in(subjects))
    faces = tables.labelled(faces, own)
    usable = own.filter(status="ok").partition_by("subject", as_dict=True)
    planners = {who: Planner(config, label, usable.get((who,), own.clear())) for who in subjects}
    coded = own.join(faces, on="frame_id", how="semi").iter_rows(named=True)
    by_frame = {row["frame_id"]: row for row in coded}
    usual_of = usual_faces(faces.iter_rows(named=True))
    rows: list[dict[str, Any]] = []
    for face in faces.iter_rows(named=True):
        planner, usual = planners[face["subject"]], usual_of[face["subject"]]
        kept = tables.carry(face, "prompts")
        pictures = planner.of(face) if _is_ok(face) else []
        if not pictures:
            rows.append(kept | _without_picture(face, planner))
        hidden = covered(visible_of(face), config.landmarks.min_visibility)
        for picture in pictures:
            if needed := _covered_needs(picture, hidden):
                rows.append(kept | _planned(face, picture, config.seed) | _refused(needed))
                continue
            if config.prompts.style == "published":
                texts = published_texts(face, config.prompts, config.crop.size, tokenizer)
            else:
                frame = by_frame[face["frame_id"]]
                texts = texts_of(frame, face, picture, usual, config, label, count, hidden)
            rows.append(kept | texts | _planned(face, picture, config.seed))
    planned = sum(row["status"] == "ok" for row in rows)
    log.info("%d pictures planned from %d frames", planned, len(faces))
    rows_taken = noted_rows(index, "labels", output.stem)
    notes = from_tables(config, "prompts", rows=rows_taken, landmarks=landmarks)
    tables.write(output, tables.frame("prompts", rows), "prompts", notes)


def _is_ok(row: dict[str, Any]) -> bool:
    return bool(row["status"] == "ok")


def _without_picture(face: dict[str, Any], planner: Planner) -> dict[str, Any]:
    row: dict[str, Any] = {"image_id": f"{face['frame_id']}#0"}
    if _is_ok(face):
        row |= {"status": "not_selected", "reason": planner.reason(face["frame_id"])}
    return row


def _covered_needs(picture: Picture, hidden: tuple[str, ...]) -> list[str]:
    """Return the covered regions on which a picture shall show other units than its frame."""
    if picture.kind != "level":
        return []
    units, now = picture.units or {}, picture.source_units or {}
    changed = {SEEN_ON[unit] for unit, value in units.items() if value != now.get(unit, 0.0)}
    return [region for region in hidden if region in changed]


def _refused(needed: list[str]) -> dict[str, Any]:
    """Return what a row says of a planned picture whose units nobody could see on its frame."""
    what = f"covered in the frame: {', '.join(needed)}"
    return {
        "status": "not_selected",
        "reason": f"{what}; the units asked for cannot be given to what is not seen",
    }


def _planned(face: dict[str, Any], picture: Picture, seed: int) -> dict[str, Any]:
    row = asdict(picture)
    return row | {
        "image_id": picture.name(face["frame_id"]),
        "seed": picture.seed(seed, face["frame_id"]),
        "warp": warp_of(row, np.asarray(face["landmarks_px"])),
    }


def texts_of(
    frame: dict[str, Any],
    face: dict[str, Any],
    picture: Picture,
    usual: dict[str, float] | None,
    config: Config,
    label: Label,
    count: Callable[[str], int],
    hidden: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the prompts of a picture in words, with their lengths.

    Args:
        frame: row of the index.
        face: row of the landmarks table.
        picture: to make of it.
        usual: the person's usual measures, None when they are not known.
        config: `seed` and `prompts` are used.
        label: of the data set.
        count: tokens of a text as the text encoder sees them.
        hidden: covered regions of the face, of whose units nothing is said, coded or not: the
            picture does not show them.

    Raises:
        SettingsError: the template is wrong, or the prompt too long for the settings.
    """
    settings = config.prompts
    known = {unit: frame[unit] for unit in ACTION_UNITS}
    units = known_or_estimated(known, estimated_units(face["measures"], usual))
    if picture.kind == "level":
        units |= picture.units or {}
    units = {unit: value for unit, value in units.items() if unit not in hidden_units(hidden)}
    sex, age_group = frame["sex"] or "", frame["age_group"] or ""
    if picture.kind == "person":
        subject = other_subject_words(sex, age_group, picture.seed(config.seed, face["frame_id"]))
    else:
        subject = subject_words(sex, age_group)
    words = {
        "subject": subject,
        "level": level_words(picture.label, label.low, label.high),
        "head": head_words(*face["pose"]),
    }
    phrases = unit_phrases(units)
    limit = settings.max_tokens if settings.overflow == "drop" else None
    prompt, left_out = fit(settings.template, words, phrases, count, limit)
    tokens = count(prompt)
    if settings.overflow == "refuse" and tokens > settings.max_tokens:
        raise SettingsError(
            f"the prompt of {face['frame_id']} has {tokens} tokens, prompts.max_tokens is "
            f"{settings.max_tokens} and prompts.overflow is refuse; shorten prompts.template or "
            f"set overflow to drop or chunk: {prompt!r}"
        )
    return {
        "prompt": prompt,
        "negative_prompt": settings.negative,
        "left_out": "; ".join(left_out),
        "left_out_tokens": count(", ".join(left_out)) - 2 if left_out else 0,
        "tokens": tokens,
    }


def published_texts(
    face: dict[str, Any], settings: Prompts, size: int, tokenizer: Any
) -> dict[str, Any]:
    """Return the published script's prompt of a face as the text encoder reads it.

    Args:
        face: row of the landmarks table.
        settings: the block `prompts`.
        size: side of the crop, pixels.
        tokenizer: of the generator.
    """
    whole = coordinate_prompt(np.asarray(face["landmarks_px"]), size)
    read, lost, lost_tokens, points = cut(whole, tokenizer, settings.max_tokens)
    return {
        "prompt": read,
        "negative_prompt": settings.negative,
        "left_out": lost,
        "left_out_tokens": lost_tokens,
        "tokens": token_counter(tokenizer)(read),
        "points": points,
    }


def token_counter(tokenizer: Any) -> Callable[[str], int]:
    """Return a function that counts a text's tokens, start and end token with them.

    The generator's own tokenizer counts, so nothing is cut later.
    """
    from aacsfnet.augmentation.diffusion.texts import count_tokens

    return lambda text: count_tokens(tokenizer, text) + 2


def _check_negative(settings: Prompts, count: Callable[[str], int]) -> None:
    """Raise when the negative prompt is too long; it has no phrases that could be left out."""
    tokens = count(settings.negative)
    if tokens > settings.max_tokens and settings.overflow != "chunk":
        raise SettingsError(
            f"prompts.negative has {tokens} tokens, prompts.max_tokens is "
            f"{settings.max_tokens}; shorten it, or set prompts.overflow to chunk: "
            f"{settings.negative!r}"
        )
