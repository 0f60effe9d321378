"""Which run a job belongs to: a job ends with its run, and writes nothing when that is over.

A run names itself to its jobs by an environment variable, which clusters pass on too. Jobs of a run
that was killed would else write beside those of the next one. On the run's own machine they end
when its process does; elsewhere when another run has taken the results folder.
"""

import json
import os
import secrets
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from aacsfnet.errors import WorkError

#: The environment variable that names a job's run.
VARIABLE = "AACSFNET_RUN"
#: Between two looks at who has the results folder.
_SECONDS = 10


@dataclass(frozen=True)
class Run:
    """A run of the workflow.

    Attributes:
        lock: the file that the run holds, in its results folder.
        token: which run it is; the second line of that file.
        process: its process number.
        began: when that process began, in ticks of its machine's clock.
        place: machine and namespace in which the process number means something.
    """

    lock: str
    token: str
    process: int
    began: str
    place: str

    def environment(self) -> dict[str, str]:
        """Return the environment that names the run to its jobs."""
        return {VARIABLE: json.dumps(asdict(self))}


def begin(lock: Path) -> Run:
    """Return a new run of this process; `name_in` writes it into the file that it holds."""
    process = os.getpid()
    return Run(str(lock.resolve()), secrets.token_hex(8), process, began(process), _place())


def lines_of(run: Run) -> str:
    """Return what stands in the lock file of a run: for people, and its token."""
    since = time.strftime("%Y-%m-%d %H:%M")
    return f"process {run.process} on {socket.gethostname()} since {since}\n{run.token}\n"


def follow() -> None:
    """Let this process end with the run that started it, if one did; watched by a thread.

    Raises:
        WorkError: the run is over already.
    """
    run = named()
    if run is None:
        return
    check(Path(run.lock))
    watched = _open(run)
    threading.Thread(target=_watch, args=(run, watched), daemon=True).start()


def check(path: Path) -> None:
    """Refuse to write a file into the results of a run to which this job belongs and that is over.

    Raises:
        WorkError: it is so.
    """
    run = named()
    if run is None or not path.resolve().is_relative_to(Path(run.lock).parent):
        return
    if why := over(run):
        raise WorkError(f"{path}: not written: {why}")


def over(run: Run) -> str:
    """Return how a run came to its end, "" if it goes on as far as one can see from here."""
    try:
        token = Path(run.lock).read_text(encoding="utf-8").splitlines()[1:2]
    except OSError:
        token = []
    if token != [run.token]:
        return "the run of this job is over, and its results folder is another run's or gone"
    if run.place and run.place == _place() and began(run.process) != run.began:
        return f"the run of this job (process {run.process}) is gone"
    return ""


@cache
def _read(text: str) -> Run:
    return Run(**json.loads(text))


def named() -> Run | None:
    """Return the run that the environment names, or None."""
    text = os.environ.get(VARIABLE)
    return _read(text) if text else None


def _watch(run: Run, watched: int | None) -> None:
    """Wait for the end of a run; then end this process as a kill would."""
    while not (why := over(run)):
        if watched is None:
            time.sleep(_SECONDS)
        else:  # wakes when the process ends
            select.select([watched], [], [], _SECONDS)
    with suppress(OSError):
        sys.stderr.write(f"aacsfnet: stopped: {why}\n")
        sys.stderr.flush()
    os._exit(1)


def _open(run: Run) -> int | None:
    """Return a file that becomes readable when the run's process ends; None if it is elsewhere."""
    if not run.place or run.place != _place() or not hasattr(os, "pidfd_open"):
        return None
    with suppress(OSError):
        return os.pidfd_open(run.process)
    return None


def began(process: int) -> str:
    """Return when a process began, "" if there is none or it is dead and only remembered."""
    try:
        words = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if words[0] in "ZX" else words[19]


@cache
def _place() -> str:
    """Return what names this machine, since it was started, and this namespace of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""
