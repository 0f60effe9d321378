# What all rules share: the plan of the run, the folders, and small functions of wildcards.
import gc
import logging
import os
import sys
from functools import cache, lru_cache
from itertools import dropwhile, islice, takewhile
from pathlib import Path

sys.path.insert(0, workflow.basedir)

import snakemake.common
import snakemake.jobs
import snakemake.rules
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import RerunTrigger
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from aacsfnet import premises, surroundings, worker
from aacsfnet.config.load import check_files
from aacsfnet.errors import AacsfnetError
from aacsfnet.layout import SCOPE
from aacsfnet.workflow import Workflow

# No traceback for each line that a full disk does not take.
logging.raiseExceptions = False

# What planning makes stays: to look for cycles in it would cost a tenth of the time.
gc.disable()

DEPLOYED = workflow.deployment_settings.deployment_method & {
    DeploymentMethod.CONDA,
    DeploymentMethod.APPTAINER,
}


def asked_for_several():
    """Whether this process runs a group of jobs; Snakemake's settings are not there so early."""
    after = dropwhile(lambda word: word != "--target-jobs", sys.argv)
    jobs = takewhile(lambda word: not word.startswith("--"), islice(after, 1, None))
    return len(list(jobs)) > 1


try:
    if not workflow.is_main_process:  # one that runs single jobs, on a node say
        PLAN = Workflow.of_job(config)
        if asked_for_several() and not DEPLOYED:
            os.environ.update(worker.start())  # of a group of jobs on one node
    else:
        PLAN = Workflow(config)
        surroundings.check_records(Path.cwd(), Path(workflow.main_snakefile))
        given = (
            workflow.overwrite_configfiles
        )  # laid over those that the Snakefile names
        check_files([*workflow.configfiles[len(given) :], *given])
        premises.check(PLAN.config)
except AacsfnetError as error:
    raise WorkflowError(str(error)) from None


# Not for a dry run, nor for the processes that run single jobs on a cluster's nodes.
onstart:
    gc.enable()
    for warning in premises.warnings(PLAN.config):
        logger.warning(f"{warning.key}: {warning.message}; {warning.advice}")
    try:
        if workflow.executor_plugin.name == "slurm":
            ask_slurm()
        PLAN.hold()
    except AacsfnetError as error:
        raise WorkflowError(str(error)) from None
    os.environ.update(PLAN.environment())
    if workflow.executor_plugin.name == "local" and not DEPLOYED:
        os.environ.update(worker.start())
    for words in surroundings.oddities(LAYOUT.lock):
        logger.warning(words)


# A job that cannot even write its log says nothing.
onerror:
    for words in filter(None, {surroundings.scarce(LAYOUT.folder)}):
        logger.error(words)


LAYOUT = PLAN.layout


wildcard_constraints:
    scope=SCOPE,
    experiment="[A-Za-z0-9_-]+",
    shard="[A-Za-z0-9_-]+[.][0-9]+",
    seed="[0-9]+",
    fold="[0-9]+",


# Used with --software-deployment-method apptainer alone.
container: os.environ.get("AACSFNET_IMAGE", f"{workflow.basedir}/aacsfnet.sif")


# Jobs find the package without its being installed in each stage's environment, and, where no
# environment is deployed, the Python that runs Snakemake.
shell.prefix(
    f"set -euo pipefail; source {workflow.basedir!r}/workflow/killed.sh; "
    f"export PYTHONPATH={workflow.basedir!r}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
    + ("" if DEPLOYED else f"export PATH={os.path.dirname(sys.executable)!r}:$PATH; ")
)


# Snakemake finds the parameters of a function out again at each call: two dozen times a job.
snakemake.common.get_function_params = lru_cache(snakemake.common.get_function_params)
snakemake.rules.get_function_params = snakemake.common.get_function_params

# It also words message and command of each job of a dry run, which this logger shows only if asked.
shown = workflow.output_settings
if shown.dryrun and not shown.verbose and set(shown.log_handler_settings) == {"rich"}:
    snakemake.jobs.Job.log_info = lambda job, **options: None


@cache
def decide():
    """Settle what Snakemake asks of its own settings, which are not there when rules are read.

    - The results themselves say what they were made from (aacsfnet.freshness): Snakemake's records
      stay behind when results are moved, so they do not decide.
    - Where rules are grouped, small shards share a job.
    """
    workflow.dag_settings.rerun_triggers = frozenset([RerunTrigger.MTIME])
    groups = {"faces": PLAN.together}
    if workflow.global_resources.get("gpu").value:  # else a job asks for one a shard
        groups["pictures"] = PLAN.together
    groups |= workflow.group_settings.group_components
    workflow.group_settings.group_components = groups
    given = frozenset(workflow.dag_settings.forcerun)
    # A rule's name begins with its stage.
    PLAN.forced = given | {name.partition("_")[0] for name in given}


def why(stage, wildcards):
    """Why a job runs, "" where its results stand; a process that runs one job does not ask."""
    if not workflow.is_main_process:
        return "asked for"
    decide()
    try:
        reason = PLAN.why(stage, wildcards)
    except AacsfnetError as error:
        raise WorkflowError(str(error)) from None
    for line in PLAN.freshness.news():
        logger.info(line)
    return reason


def needed(stage, files):
    """The files that a stage's job is made from, a function of wildcards.

    Where the job's results stand, its inputs are ancient: neither their times nor their being made
    again run it. Otherwise it is forced.
    """

    def inputs(wildcards):
        found = files(wildcards)
        if not why(stage, wildcards):
            if isinstance(found, list):
                return [ancient(str(path)) for path in found]
            # Only the index can be lost here; Snakemake would run all that it is an input of.
            return ancient(str(found)) if os.path.exists(found) else []
        if workflow.is_main_process:
            workflow.dag.forcefiles.add(str(PLAN.result(stage, wildcards)))
        return found

    return inputs


def first(stage):
    """The index where it and a later job are made again, a function of wildcards.

    Snakemake passes over a job that waits for the index through results that stand.
    """
    return lambda wildcards: (
        [str(LAYOUT.index)]
        if workflow.is_main_process
        and why("index", wildcards)
        and why(stage, wildcards)
        else []
    )


def ask_slurm():
    """Refuse a run that Slurm would refuse, or that would wait for it without end.

    Short jobs then take less time than with the executor as it is.
    """
    from aacsfnet.doctor.cluster import check
    from aacsfnet.doctor.cluster.executor import hasten

    hasten(workflow.executor_plugin.executor)
    kinds = {}  # one job of each rule, or of each group of rules
    for job in workflow.dag.needrun_jobs():
        if not job.is_local:
            kinds.setdefault(job.group or job.rule.name, job)
    check(
        [(workflow.dag.get_job_group(job) or job).resources for job in kinds.values()],
        workflow.executor_settings.status_command,
        workflow.executor_settings.init_seconds_before_status_checks,
    )


def growing(amount):
    """An amount of memory or time that each further attempt of a job has more of."""
    return lambda wildcards, attempt: round(amount) * attempt


def settings(stage):
    """The settings that reach a stage, as JSON text: a change re-runs this stage and those after."""
    return lambda wildcards: LAYOUT.settings(getattr(wildcards, "scope", ""), stage)


def scope(wildcards, stage):
    """Where an earlier stage's results stand for the settings of a rule's own scope."""
    return LAYOUT.scope_within(wildcards.scope, stage)


def table(stage):
    """The table of an earlier stage for the same shard, wherever that stage's results are shared."""
    return lambda wildcards: LAYOUT.table(
        scope(wildcards, stage), stage, wildcards.shard
    )


def tables(stage):
    """All tables of an earlier stage."""
    return lambda wildcards: LAYOUT.tables(scope(wildcards, stage), stage, PLAN.shards)


def folder(stage):
    """The folder of an earlier stage's tables."""
    return lambda wildcards: str(LAYOUT.stage(scope(wildcards, stage), stage))


def merged(name):
    """A file of the merged data that an experiment trains on."""
    return lambda wildcards: getattr(
        LAYOUT.merged(LAYOUT.scope(wildcards.experiment, "merge")), name
    )
