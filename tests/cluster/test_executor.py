"""What a run changes of the executor for Slurm, looked at without a cluster."""

from itertools import accumulate, islice, pairwise, takewhile
from types import SimpleNamespace

import pytest
from snakemake_executor_plugin_slurm import Executor as SlurmExecutor

from aacsfnet.doctor.cluster.executor import hasten
from aacsfnet.doctor.cluster.slurm import LONGEST_INTERVAL_S


@pytest.fixture(name="waits")
def _waits():
    """What an executor waits from time to time while nothing ends, as version 2.6.1 does."""

    class Executor:
        _next_seconds_between_status_checks = 10
        next_seconds_between_status_checks = SlurmExecutor.next_seconds_between_status_checks

    hasten(Executor)

    def waits(first):
        executor = Executor()
        executor.next_seconds_between_status_checks = first
        while True:
            yield executor.next_seconds_between_status_checks
            longer = executor.next_seconds_between_status_checks + 10
            executor.next_seconds_between_status_checks = min(longer, LONGEST_INTERVAL_S)

    return waits


def test_an_end_is_noticed_within_a_fraction_of_the_time_waited(waits):
    asked = list(takewhile(lambda at: at < 1800, accumulate(waits(2))))
    assert all(after - at <= 2.01 + at / 8 for at, after in pairwise([0, *asked]))
    assert len(asked) < 50


def test_in_the_end_it_waits_as_long_as_the_executor_itself(waits):
    assert max(islice(waits(2), 100)) == LONGEST_INTERVAL_S


def test_the_first_wait_is_the_profiles_own(waits):
    assert [next(waits(first)) for first in (1, 2, 15, 40)] == [1, 2, 15, 40]


def test_it_waits_longer_from_nothing_on(waits):
    assert list(islice(waits(0), 5))[-1] == 1


@pytest.mark.parametrize(
    ("asked", "arguments"),
    [
        ({}, "--executor local"),
        ({"array_jobs": "all"}, "--executor steps"),
        ({"pass_command_as_script": True}, "--executor steps"),
    ],
)
def test_a_job_starts_one_snakemake_where_that_is_possible(asked, arguments):
    class Executor:
        settings = SimpleNamespace(
            **({"array_jobs": None, "pass_command_as_script": False} | asked)
        )
        workflow = SimpleNamespace(executor_settings=settings)

        def additional_general_args(self):
            return "--executor steps"

    hasten(Executor)
    assert Executor().additional_general_args() == arguments


def test_an_executor_of_another_kind_is_left_alone():
    class Executor:
        next_seconds_between_status_checks = 40

    hasten(Executor)
    assert Executor.next_seconds_between_status_checks == 40
