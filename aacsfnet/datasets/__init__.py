"""Data sets by name."""

from importlib import import_module

from aacsfnet.config import Config
from aacsfnet.datasets.base import Dataset, Fault, Label

#: name in the configuration -> module and class
DATASETS = {
    "demo": ("aacsfnet.datasets.demo", "Demo"),
    "manifest": ("aacsfnet.datasets.manifest", "Manifest"),
}

__all__ = ["DATASETS", "Dataset", "Fault", "Label", "open_dataset"]


def open_dataset(config: Config) -> Dataset:
    """Return the configured data set; nothing is read yet beyond what its settings name."""
    module, name = DATASETS[config.dataset]
    dataset: Dataset = getattr(import_module(module), name)(config.index)
    return dataset
