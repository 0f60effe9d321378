"""The models and networks that the settings name: found and whole, or not."""

from collections.abc import Iterator

from aacsfnet.config import Config
from aacsfnet.doctor.findings import Finding, Level
from aacsfnet.errors import AacsfnetError
from aacsfnet.premises import in_force, premises, warnings


def look_at_models(config: Config) -> Iterator[Finding]:
    """Yield one finding for each model that the settings, or an experiment's, name."""
    for premise in premises(config):
        level: Level = "ok" if premise.holds else "error"
        yield Finding(level, premise.key, premise.message, premise.advice)
    for premise in warnings(config):
        yield Finding("warning", premise.key, premise.message, premise.advice)
    yield from _altered(config)


def _altered(config: Config) -> Iterator[Finding]:
    """Compare the generators' files with their lock files, which takes seconds for gigabytes."""
    from aacsfnet.augmentation.diffusion.model_files import describe, find_model

    for settings in dict.fromkeys(own.generate for own in in_force(config)):
        try:
            files = find_model(settings)
        except AacsfnetError:
            continue  # said already
        try:
            describe(files)
        except AacsfnetError as error:
            yield Finding("error", "generate.model", str(error), "fetch the model again")
