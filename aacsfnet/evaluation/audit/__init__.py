"""The audit: finished results are read again and asked whether they keep the project's promises.

It trusts no stage: what a stage should have refused is looked for here a second time, in the files
that a reader of the results would rely on.
"""

from pathlib import Path

from aacsfnet.config import Config
from aacsfnet.evaluation.audit.discrepancy import Discrepancy, guarded, name_of
from aacsfnet.evaluation.audit.experiment import look_at_experiment
from aacsfnet.evaluation.audit.merged import look_at_merged
from aacsfnet.evaluation.audit.people import look_at_index
from aacsfnet.evaluation.audit.stage_tables import look_at_files, look_at_stage
from aacsfnet.evaluation.results import Results
from aacsfnet.layout import Layout
from aacsfnet.stages import SHARDED

__all__ = ["Discrepancy", "audit"]


def audit(config: Config, results: Path) -> list[Discrepancy]:
    """Return everything that is wrong with finished results; an empty list when nothing is.

    Args:
        config: all settings; `experiments` and `training_seeds` say what there should be.
        results: the data set's results, `results/<dataset>`.

    Raises:
        DataError: there is no index to audit against.
    """
    layout = Layout(config, results)
    found = Results(layout)
    discrepancies = look_at_index(found)
    for stage in SHARDED:
        for scope in layout.scopes(stage):
            discrepancies += look_at_stage(found, scope, stage)
    for scope in layout.scopes("crop"):
        for path in layout.finished(scope, "crop", found.shards):
            where = name_of(found, path)
            discrepancies += guarded(look_at_files(config, path, where), where)
    for scope in layout.scopes("merge"):
        merged = layout.merged(scope)
        checks = look_at_merged(found, merged, layout.config(scope).merge.folds == "given")
        discrepancies += guarded(checks, name_of(found, merged.folder))
    for name in config.experiments:
        given = config.for_experiment(name).merge.folds == "given"
        checks = look_at_experiment(found, name, config.training_seeds, given)
        discrepancies += guarded(checks, name_of(found, layout.experiment(name).folder))
    return discrepancies
