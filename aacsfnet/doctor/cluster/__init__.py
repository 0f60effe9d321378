"""What a run on a Slurm cluster takes for granted: asked of Slurm itself before the first job."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from aacsfnet.config import Config
from aacsfnet.doctor.cluster.requests import Requests, read_profile, requests_of
from aacsfnet.doctor.cluster.slurm import look_at_slurm
from aacsfnet.doctor.cluster.trial import try_jobs
from aacsfnet.doctor.findings import Finding
from aacsfnet.errors import SettingsError


def diagnose_cluster(config: Config, profile: Path) -> list[Finding]:
    """Return whether a run with a profile would work on this Slurm, tried by test jobs.

    Raises:
        SettingsError: the profile is none for Slurm.
    """
    requests = read_profile(profile)
    findings = list(look_at_slurm(requests))
    if not any(finding.level == "error" for finding in findings):
        findings += try_jobs(requests, config.results)
    return findings


def check(resources: Iterable[Mapping[str, Any]], status_command: str, interval_s: int) -> None:
    """Refuse a run that Slurm would refuse, or that would wait for it without end.

    Args:
        resources: of one job of each kind.
        status_command: how the executor asks after its jobs.
        interval_s: how often it does so at first.

    Raises:
        SettingsError: what is wrong, and what to do.
    """
    requests = Requests(requests_of(resources), status_command, interval_s)
    wrong = [each for each in look_at_slurm(requests) if each.level == "error"]
    if wrong:
        lines = [f"{each.about}: {each.message}; {each.advice}" for each in wrong]
        raise SettingsError("\n".join([*lines, "see also: aacsfnet doctor --profile PROFILE"]))
