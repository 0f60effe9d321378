"""A look at the configured data set and the machine before anything runs.

Every finding says what was met and what to do about it. Nothing is written but a few temporary
files: a sample of frames goes through the first stages, to see faces found and time taken.
"""

from aacsfnet.augmentation.plan.pictures import check_levels
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import shards_of
from aacsfnet.datasets.index import check_plan, judge, with_defaults
from aacsfnet.doctor.cluster import diagnose_cluster
from aacsfnet.doctor.data import look_at_data
from aacsfnet.doctor.findings import Finding, Level, render
from aacsfnet.doctor.leftovers import look_at_leftovers
from aacsfnet.doctor.machine import look_at_machine
from aacsfnet.doctor.models import look_at_models
from aacsfnet.doctor.outlook import look_ahead
from aacsfnet.errors import AacsfnetError

__all__ = ["Finding", "Level", "diagnose", "diagnose_cluster", "render"]


def diagnose(config: Config) -> list[Finding]:
    """Return everything worth knowing before a run; "error" findings would stop it."""
    findings = [*look_at_machine(), *look_at_models(config)]
    try:
        dataset = open_dataset(config)
        for name in config.experiments:
            check_levels(config.for_experiment(name), dataset.label)
        rows = judge(with_defaults(dataset.index()), dataset.label)
        check_plan(rows, dataset.subjects(), dataset.exact_scan)
        cut = config.index
        shards = len(shards_of(dataset.subjects(), cut.shard_frames, cut.packed_frames))
    except AacsfnetError as error:
        return [*findings, Finding("error", "data", str(error), "correct this first")]
    findings += look_at_data(config, rows, dataset)
    findings += look_at_leftovers(config)
    findings += look_ahead(config, rows, dataset.label, shards)
    return findings
