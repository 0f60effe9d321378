"""What a profile, or the jobs of a run, ask of Slurm."""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from aacsfnet.errors import SettingsError
from aacsfnet.files import shown

#: The executor's own default, in seconds.
_INTERVAL_S = 40


@dataclass(frozen=True)
class Request:
    """What jobs of one kind ask for.

    Attributes:
        account: who pays, "" where it is left to Slurm; of several, as `a,b`, the first.
        partition: where they run, "" for the cluster's default.
        gpus: GPUs of one job.
        minutes: the longest time limit that is known of, 0 if none.
    """

    account: str = ""
    partition: str = ""
    gpus: int = 0
    minutes: int = 0

    @property
    def accounts(self) -> list[str]:
        """All accounts that are named; the executor looks at each."""
        return self.account.replace(",", " ").split() or [""]


@dataclass(frozen=True)
class Requests:
    """What a whole run asks for.

    Attributes:
        kinds: one of each kind of jobs.
        status_command: how the executor asks after its jobs, "squeue" or "sacct".
        interval_s: how often it does so at first.
    """

    kinds: tuple[Request, ...]
    status_command: str
    interval_s: int


def requests_of(resources: Iterable[Mapping[str, Any]]) -> tuple[Request, ...]:
    """Return the kinds of jobs, each with its longest time limit, given each job's resources."""
    longest: dict[tuple[str, str, int], int] = {}
    for each in resources:
        account, partition = (str(each.get(f"slurm_{of}") or "") for of in ("account", "partition"))
        kind = account, partition, int(each.get("gpu") or 0)
        longest[kind] = max(longest.get(kind, 0), int(each.get("runtime") or 0))
    return tuple(Request(*kind, minutes) for kind, minutes in sorted(longest.items()))


def read_profile(folder: Path) -> Requests:
    """Return what a profile of Snakemake makes jobs ask for.

    Raises:
        SettingsError: there is none, or it is not for Slurm.
    """
    path = folder / "config.yaml"
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{shown(path)}: not a profile of Snakemake: {error}") from None
    if not isinstance(told, dict) or told.get("executor") != "slurm":
        raise SettingsError(f"{shown(path)}: no profile for Slurm (executor: slurm)")
    default = _values(told.get("default-resources"))
    own = [_values(each) for each in (told.get("set-resources") or {}).values()]
    return Requests(
        requests_of([default, *(default | each for each in own)]),
        told.get("slurm-status-command", "sacct"),
        int(told.get("slurm-init-seconds-before-status-checks", _INTERVAL_S)),
    )


def _values(resources: object) -> dict[str, Any]:
    """Return resources as they are at the first attempt; text stands in quotes within its value."""
    found = {}
    for name, value in resources.items() if isinstance(resources, dict) else ():
        if isinstance(value, str):
            text = value.replace("* attempt", "").strip()
            try:
                value = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                value = text if name.startswith("slurm_") else 0
        found[name] = value
    return found
