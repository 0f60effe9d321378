"""The prompts stage: which pictures to make from which frame, and the words for each.

Nothing here needs a GPU; the table can be read, and questioned, before any picture is made.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aacsfnet import table
from aacsfnet.augmentation.anatomy import estimated_units, known_or_estimated, usual_face
from aacsfnet.augmentation.words import (
    fit,
    head_words,
    level_words,
    subject_words,
    unit_phrases,
)
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.errors import SettingsError
from aacsfnet.seeds import seed_of

_SEED_RANGE = 2**63


def prompts(config: Config, index: Path, landmarks: Path, output: Path) -> None:
    """Write one row for each picture to make from the frames of one shard.

    A frame from which none is made keeps one row, `not_selected`.

    Args:
        config: `dataset`, `index`, `seed`, `prompts` and `generate` are used.
        index: table of the whole index.
        landmarks: table of the shard.
        output: table to write.

    Raises:
        SettingsError: a template that cannot be filled or does not fit.
    """
    count = token_counter(config.generate.model)
    _check_negative(config, count)
    faces = table.read(landmarks)
    frames = table.read(index).filter(_among(faces["frame_id"]))
    by_frame = {row["frame_id"]: row for row in frames.iter_rows(named=True)}
    usual = usual_face([row["measures"] for row in faces.iter_rows(named=True) if _is_ok(row)])
    label = open_dataset(config).label
    rows: list[dict[str, Any]] = []
    for face in faces.iter_rows(named=True):
        kept = table.carry(face, "prompts")
        number = variants_of(face, config, label.low) if _is_ok(face) else 0
        if number == 0:
            rows.append(kept | _without_picture(face))
            continue
        texts = _texts(by_frame[face["frame_id"]], face, usual, config, label, count)
        rows += [kept | texts | _variant(face, variant, config) for variant in range(number)]
    table.write(output, table.frame("prompts", rows), "prompts")


def _is_ok(row: dict[str, Any]) -> bool:
    return bool(row["status"] == "ok")


def _among(frame_ids: Any) -> Any:
    import polars as pl

    return pl.col("frame_id").is_in(frame_ids.implode())


def _without_picture(face: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"image_id": f"{face['frame_id']}#0"}
    if _is_ok(face):
        row |= {"status": "not_selected", "reason": "the plan makes no picture from this frame"}
    return row


def _variant(face: dict[str, Any], variant: int, config: Config) -> dict[str, Any]:
    return {
        "image_id": f"{face['frame_id']}#{variant}",
        "variant": variant,
        "seed": seed_of(config.seed, "generate", face["frame_id"], variant),
    }


def variants_of(face: dict[str, Any], config: Config, lowest_label: float) -> int:
    """Return how many pictures are made from a frame: always the same for the same frame.

    Frames with pain get all their variants; of those without, the share `prompts.neutral_share`
    does, chosen by a hash of the frame: most recordings are without pain, and more of the same
    helps nobody.
    """
    if face["label"] > lowest_label:
        return config.prompts.variants
    draw = seed_of(config.seed, "prompts", face["frame_id"]) / _SEED_RANGE
    return config.prompts.variants if draw < config.prompts.neutral_share else 0


def _texts(
    frame: dict[str, Any],
    face: dict[str, Any],
    usual: dict[str, float] | None,
    config: Config,
    label: Any,
    count: Callable[[str], int],
) -> dict[str, Any]:
    known = {unit: frame[unit] for unit in table.ACTION_UNITS}
    units = known_or_estimated(known, estimated_units(face["measures"], usual))
    words = {
        "subject": subject_words(frame["sex"] or "", frame["age_group"] or ""),
        "level": level_words(face["label"], label.low, label.high),
        "head": head_words(*face["pose"]),
    }
    settings = config.prompts
    prompt, left_out = fit(
        settings.template, words, unit_phrases(units), count, settings.max_tokens
    )
    return {
        "prompt": prompt,
        "negative_prompt": settings.negative,
        "left_out": "; ".join(left_out),
        "tokens": count(prompt),
    }


def token_counter(model: str) -> Callable[[str], int]:
    """Return a function that counts a text's tokens, start and end token with them.

    The generator's own tokenizer counts, so nothing is cut later.

    Raises:
        ModelFileError: the model folder has no tokenizer.
    """
    from aacsfnet.augmentation.model_files import load_tokenizer, model_folder

    tokenizer = load_tokenizer(model_folder(model))

    def count(text: str) -> int:
        return len(tokenizer(text, truncation=False, verbose=False).input_ids)

    return count


def _check_negative(config: Config, count: Callable[[str], int]) -> None:
    tokens = count(config.prompts.negative)
    if tokens > config.prompts.max_tokens:
        raise SettingsError(
            f"prompts.negative has {tokens} tokens, prompts.max_tokens is "
            f"{config.prompts.max_tokens}; shorten it: {config.prompts.negative!r}"
        )
