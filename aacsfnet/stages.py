"""The stages in flow order: what each one's results depend on.

One word a stage: it names the rule, the command, the block of settings and the results folder.
"""

from dataclasses import dataclass
from typing import Any, get_args

from aacsfnet.config import Config, DatasetName


@dataclass(frozen=True)
class Stage:
    """A stage's code version, the settings that reach it, and the stages it reads.

    Raise `version` when the stage's results change though the settings stay: the stage and all
    that depends on it then run again.
    """

    version: int
    settings: tuple[str, ...]
    after: tuple[str, ...] = ()
    sharded: bool = False  # whether it writes one table a shard


#: "data" stands for the name of the data set and what `index` says of reading it: all but the
#: sizes of shards and the blocks of other data sets.
STAGES = {
    "index": Stage(2, ("data", "index.shard_frames", "index.packed_frames")),
    "crop": Stage(6, ("data", "crop"), ("index",), sharded=True),
    "landmarks": Stage(5, ("landmarks",), ("crop",), sharded=True),
    "prompts": Stage(
        5,
        ("data", "seed", "crop.size", "landmarks.min_visibility", "prompts", "generate.model"),
        ("index", "landmarks"),
        sharded=True,
    ),
    "depth": Stage(6, ("depth",), ("crop", "landmarks", "prompts"), sharded=True),
    "generate": Stage(
        6, ("seed", "generate"), ("crop", "landmarks", "depth", "prompts"), sharded=True
    ),
    "quality": Stage(
        11,
        ("data", "landmarks", "quality"),
        ("index", "crop", "landmarks", "generate"),
        sharded=True,
    ),
    "merge": Stage(
        6, ("data", "seed", "merge"), ("index", "crop", "landmarks", "generate", "quality")
    ),
    # Faces are found in use as in training, so their settings are stored with the model.
    "train": Stage(5, ("data", "seed", "crop", "landmarks", "train"), ("merge",)),
    "evaluate": Stage(3, ("data", "evaluate"), ("train",)),
    # The report prints every setting, so all of them reach it; it follows every change anyway.
    "report": Stage(
        3,
        (
            *("data", "seed", "index.shard_frames", "index.packed_frames"),
            *("crop", "landmarks", "prompts", "depth"),
            *("generate", "quality", "merge", "train", "evaluate", "report"),
            *("training_seeds", "experiments"),
        ),
        ("evaluate",),
    ),
}
#: Stages with one table a shard, in flow order.
SHARDED = tuple(name for name, stage in STAGES.items() if stage.sharded)


def settings_of(config: Config, stage: str) -> dict[str, Any]:
    """Return the settings that reach a stage, nested as in `config.yaml`; others stay default."""
    everything = config.model_dump(mode="json")
    chosen: dict[str, Any] = {}
    for name in STAGES[stage].settings:
        if name == "data":
            chosen["dataset"] = config.dataset
            others = {"shard_frames", "packed_frames", *get_args(DatasetName)} - {config.dataset}
            chosen["index"] = {
                key: value for key, value in everything["index"].items() if key not in others
            }
        elif "." in name:
            block_name, key = name.split(".")
            chosen.setdefault(block_name, {})[key] = everything[block_name][key]
        else:
            chosen[name] = everything[name]
    return chosen


def lineage_of(config: Config, stage: str) -> dict[str, Any]:
    """Return all settings that a stage's results depend on, by stage, upstream ones included."""
    lineage: dict[str, Any] = {}
    for name in STAGES[stage].after:
        lineage |= lineage_of(config, name)
    return lineage | {stage: settings_of(config, stage)}
