"""What a run will make, and how much disk and time that takes, from a rehearsal's figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from aacsfnet.config import Config
from aacsfnet.rehearsal import Rehearsal

#: Seconds of one denoising step at 128 pixels with the bundled miniature: 0.3 s a picture of ten
#: steps was measured on two CPU cores.
MINIATURE_STEP = 0.03
#: Stable Diffusion 1.5 with a ControlNet at 512 pixels: UNet and ControlNet of a step, twice for
#: guidance, and VAE encoding and decoding of a picture; in 10^12 operations.
STEP_TERAFLOP, PICTURE_TERAFLOP = 2 * (0.803 + 0.283), 1.117 + 2.515
#: Operations a second assumed for it, 10^12: a recent data-centre GPU in half precision without
#: tuning, and one desktop CPU core.
GPU_TERAFLOPS, CORE_TERAFLOPS = 60.0, 0.03


@dataclass(frozen=True)
class Plan:
    """How many pictures each part of a run handles."""

    frames: int  # usable real frames
    generated: int
    trained: int  # pictures shown in training, over all epochs, folds, seeds and experiments


def plan_of(config: Config, labels: Sequence[float], subjects: int) -> Plan:
    """Return what a run makes of usable frames with these labels."""
    lowest = min(labels, default=0.0)
    pain = sum(label > lowest for label in labels)
    settings = config.prompts
    calm = settings.neutral_share * (len(labels) - pain)
    generated = round(settings.variants * (pain + calm))
    trained = 0.0
    for name in config.experiments:
        own = config.for_experiment(name)
        folds = subjects if own.merge.folds == "loso" else own.merge.folds
        kept = max(0.0, 1 - 1 / max(1, folds) - own.merge.validation_subjects / max(1, subjects))
        pictures = len(labels) + (generated if own.train.synthetic else 0)
        trained += kept * pictures * own.train.epochs * folds * len(config.training_seeds)
    return Plan(len(labels), generated, round(trained))


def disk_bytes(config: Config, plan: Plan, rehearsal: Rehearsal) -> float:
    """Return the bytes that a run writes."""
    each = rehearsal.bytes
    merged = 3 * config.merge.image_size**2 * (plan.frames + plan.generated)
    return plan.frames * sum(each.values()) + plan.generated * each["crop"] + merged


def generation_seconds(config: Config, gpu: bool, cores: int) -> float:
    """Return the seconds that one generated picture takes, roughly."""
    steps = max(1.0, config.generate.strength * config.generate.steps)
    if config.generate.model == "bundled":
        return MINIATURE_STEP * steps * (config.crop.size / 128) ** 2 * 2 / max(1, min(cores, 2))
    teraflop = (steps * STEP_TERAFLOP + PICTURE_TERAFLOP) * (config.crop.size / 512) ** 2
    return teraflop / (GPU_TERAFLOPS if gpu else CORE_TERAFLOPS * cores)


def hours_minutes(seconds: float) -> str:
    """Return a duration in words.

    >>> [hours_minutes(s) for s in (20, 200, 9000, 1e6)]
    ['under a minute', '3 min', '2 h 30 min', '11 days 13 h']
    """
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days {minutes % 1440 // 60} h"


def gigabytes(size: float) -> str:
    """Return a size in words.

    >>> gigabytes(2.5e9), gigabytes(3e6)
    ('2.5 GB', '3 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{max(1, round(size / 1e6))} MB"
