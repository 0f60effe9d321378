"""What a run changes of the executor for Slurm (2.6.1), so that many short jobs take less time."""

from typing import Any

from aacsfnet.doctor.cluster.slurm import LONGEST_INTERVAL_S

#: How much longer than the time before it waits where no job has ended meanwhile.
_GROWTH = 1.125
_STEP_S = 10  # the executor's own
_LEAST_S = 0.25  # from 0 on, too
_INTERVAL = "next_seconds_between_status_checks"
_ARGUMENTS = "additional_general_args"


def hasten(executor: type) -> None:
    """Change an executor's class; one of another kind is left as it is.

    - It notices an end within an eighth of the time that it has waited. By itself it waits ten
      seconds longer each time: a job of 15 s is noticed after 36. In proportion it asks some 20
      times more within the first half hour, and then as seldom.
    - A job starts one Snakemake: the script that Slurm runs does the job's work, and does not start
      Snakemake for a step of its own within the same allocation, which it then waits for.
    """
    interval, given = getattr(executor, _INTERVAL, None), getattr(executor, _ARGUMENTS, None)
    if isinstance(interval, property) and interval.fget and interval.fset:
        setattr(executor, _INTERVAL, _proportional(interval.fget, interval.fset))
    if callable(given):

        def arguments(self: Any) -> Any:
            asked = self.workflow.executor_settings
            # Arrays, and commands that are too long for a line, need the executor of steps.
            stepwise = asked.array_jobs or asked.pass_command_as_script
            return given(self) if stepwise else "--executor local"

        setattr(executor, _ARGUMENTS, arguments)


def _proportional(get: Any, put: Any) -> property:
    def grow(self: object, seconds: float) -> None:
        now = get(self)
        grows = now < seconds and seconds in (now + _STEP_S, LONGEST_INTERVAL_S)
        put(self, min(seconds, max(now * _GROWTH, now + _LEAST_S)) if grows else seconds)

    return property(get, grow)
