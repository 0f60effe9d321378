"""Data sets by name."""

from importlib import import_module

from aacsfnet.config import Config
from aacsfnet.datasets.base import NOTES, Dataset, Label
from aacsfnet.tables import Fault

#: name in the configuration -> module and class
DATASETS = {
    "demo": ("aacsfnet.datasets.demo", "Demo"),
    "manifest": ("aacsfnet.datasets.manifest", "Manifest"),
    "unbc": ("aacsfnet.datasets.unbc", "Unbc"),
    "biovid": ("aacsfnet.datasets.biovid", "Biovid"),
    "data_pre": ("aacsfnet.datasets.data_pre", "DataPre"),
}

__all__ = ["DATASETS", "NOTES", "Dataset", "Fault", "Label", "open_dataset"]


def open_dataset(config: Config) -> Dataset:
    """Return the configured data set; nothing is read yet beyond what its settings name."""
    module, name = DATASETS[config.dataset]
    dataset: Dataset = getattr(import_module(module), name)(config.index)
    return dataset
