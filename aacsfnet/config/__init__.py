"""The configuration: one class a block, one block a stage.

`config.yaml` at the top of the repository lists every key with its default. Unknown keys, wrong
types and impossible values are errors; `load` turns them into one line that names key, value and
expectation.
"""

from aacsfnet.config.augmentation import Depth, Generate, Prompts, Quality
from aacsfnet.config.config import OVERRIDABLE, Config
from aacsfnet.config.data import DatasetName, DemoData, Index, ManifestData
from aacsfnet.config.evaluation import Evaluate, Report
from aacsfnet.config.faces import Crop, Landmarks
from aacsfnet.config.kinds import Keep, Level, Person
from aacsfnet.config.load import load, validate
from aacsfnet.config.network import NetworkSettings, PublishedSettings
from aacsfnet.config.training import Merge, Train

__all__ = [
    "OVERRIDABLE",
    "Config",
    "Crop",
    "DatasetName",
    "DemoData",
    "Depth",
    "Evaluate",
    "Generate",
    "Index",
    "Keep",
    "Landmarks",
    "Level",
    "ManifestData",
    "Merge",
    "NetworkSettings",
    "Person",
    "Prompts",
    "PublishedSettings",
    "Quality",
    "Report",
    "Train",
    "load",
    "validate",
]
