"""Data sets by name."""

from importlib import import_module

from aacsfnet.config import Config
from aacsfnet.datasets.base import NOTES, Dataset, Label
from aacsfnet.tables import Fault

__all__ = ["NOTES", "Dataset", "Fault", "Label", "open_dataset"]


def open_dataset(config: Config) -> Dataset:
    """Return the configured data set; nothing is read yet beyond what its settings name.

    The data set `some_name` is the class `SomeName` of the module `some_name` beside this one.
    """
    module = import_module(f"aacsfnet.datasets.{config.dataset}")
    dataset: Dataset = getattr(module, config.dataset.title().replace("_", ""))(config.index)
    return dataset
