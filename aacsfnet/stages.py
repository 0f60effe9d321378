"""The stages in flow order: what each one's results depend on.

One word a stage: it names the rule, the command, the block of settings and the results folder.
"""

from dataclasses import dataclass

@dataclass(frozen=True)
class Stage:
    """A stage's code version and the settings that reach it.

    Raise `version` when the stage's results change with the same settings: it re-runs the stage
    and all that depends on it.
    """

    version: int
    blocks: tuple[str, ...]
    after: tuple[str, ...]


STAGES = {
    "index": Stage(1, ("dataset", "index"), ()),
    "crop": Stage(1, ("dataset", "index", "crop"), ("index",)),
    "landmarks": Stage(1, ("landmarks",), ("crop",)),
    "depth": Stage(1, ("depth",), ("crop", "landmarks")),
    "prompts": Stage(1, ("dataset", "index", "seed", "prompts", "generate"), ("index", "landmarks")),
    "generate": Stage(1, ("seed", "generate"), ("crop", "depth", "prompts")),
    "quality": Stage(1, ("landmarks", "quality"), ("crop", "landmarks", "generate")),
    "merge": Stage(1, ("seed", "merge"), ("index", "crop", "generate", "quality")),
    "train": Stage(1, ("dataset", "index", "train"), ("merge",)),
    "evaluate": Stage(1, ("dataset", "index", "evaluate"), ("train",)),
    "report": Stage(1, ("dataset", "index", "report"), ("evaluate",)),
}
