"""A test job in each partition: does it run, and does it share files, locks and times with us?"""

import json
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import lock_descriptor

from aacsfnet.doctor.cluster.requests import Request, Requests
from aacsfnet.doctor.cluster.seen import ANSWER, ASKED
from aacsfnet.doctor.cluster.slurm import ask, sbatch_options
from aacsfnet.doctor.findings import Finding
from aacsfnet.errors import WorkError

#: How long a test job may take, from its being submitted, and a file to be seen afterwards.
PATIENCE_S = 120.0
_LATENCY_S = 30.0
_LEAST_WAIT_S = 0.5
_ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL"}
_PACKAGE = Path(__file__).parent.parent.parent.parent


def try_jobs(requests: Requests, results: Path, patience_s: float = PATIENCE_S) -> list[Finding]:
    """Run a test job in each partition, one after the other; nothing of them is left.

    Args:
        requests: what a run asks for.
        results: the folder that jobs must share; it is made where it is not there.
        patience_s: seconds to wait for each.
    """
    most: dict[tuple[str, str], Request] = {}  # of a partition the kind with the most GPUs
    for kind in sorted(requests.kinds, key=lambda kind: kind.gpus):
        most[kind.account, kind.partition] = kind
    new = not results.exists()
    results.mkdir(parents=True, exist_ok=True)
    found = []
    for kind in most.values():
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=results.absolute()) as folder:
            found += list(_try(kind, Path(folder), patience_s))
    if new:
        results.rmdir()
    return found


def _try(kind: Request, folder: Path, patience_s: float) -> Iterator[Finding]:
    about = f"test job in {kind.partition or 'the default partition'}"
    asked = folder / ASKED
    with asked.open("w") as held:
        lock_descriptor(held.fileno(), blocking=False)
        try:
            number = _submit(kind, folder)
            state, why = _wait(number, patience_s)
        except WorkError as error:
            yield Finding("error", about, f"not taken: {error}", "correct this first")
            return
        if state not in _ENDED:
            ask("scancel", number)
            words = f"job {number} was {state} after {patience_s:g} s ({why}) and was cancelled"
            advice = "ask again when the cluster is less busy; squeue --start tells when"
            yield Finding("warning", about, words, advice)
            return
        answer = folder / ANSWER
        _look_for(answer)
        yield from _judge(about, kind, folder, state)


def _submit(kind: Request, folder: Path) -> str:
    command = [sys.executable, "-m", "aacsfnet.doctor.cluster.seen", str(folder), str(kind.gpus)]
    wrapped = f"PYTHONPATH={shlex.quote(str(_PACKAGE))} {shlex.join(command)}"
    answer = ask(
        "sbatch",
        "--parsable",
        *sbatch_options(kind),
        *("--job-name=aacsfnet-doctor", "--ntasks=1", "--mem=1500", "--time=5"),
        *(f"--output={folder / 'log'}", f"--chdir={folder}", "--wrap", wrapped),
    )
    return answer.strip().partition(";")[0]


def _wait(number: str, patience_s: float) -> tuple[str, str]:
    """Return a job's state when it has ended or patience has, and why it waits."""
    end, pause = time.monotonic() + patience_s, _LEAST_WAIT_S
    while True:
        told = ask("squeue", "-h", "-t", "all", "-j", number, "-o", "%T|%r").strip()
        state, _, why = told.partition("|")
        if state in _ENDED or time.monotonic() > end:
            return state, why
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def _look_for(answer: Path) -> None:
    """Wait until a file is seen, as long as a network file system may take."""
    end = time.monotonic() + _LATENCY_S
    while not answer.exists() and time.monotonic() < end:
        list(answer.parent.iterdir())  # a network file system looks again
        time.sleep(_LEAST_WAIT_S)


def _judge(about: str, kind: Request, folder: Path, state: str) -> Iterator[Finding]:
    answer, log = folder / ANSWER, folder / "log"
    place = folder.parent
    advice = f"{place} must lie on a file system that all nodes share: set `results` to one"
    if not answer.exists():
        said = log.read_text(errors="replace").strip() if log.exists() else ""
        if said:
            words = f"{state}: {said.splitlines()[-1]}"
            yield Finding(
                "error", about, words, "the package must run on the nodes as it does here"
            )
        else:
            yield Finding(
                "error", about, f"{state}, and nothing that it wrote is seen here", advice
            )
        return
    seen = json.loads(answer.read_text(encoding="utf-8"))
    after = folder / "after"
    after.touch()
    before_s, made_s, after_s = (path.stat().st_mtime for path in (folder / ASKED, answer, after))
    wrong = []
    if not seen["there"]:
        wrong.append(("a file written here is not seen there", advice))
    elif not seen["locked"]:
        words = "a lock (flock) held here does not hold there"
        wrong.append(
            (words, "two runs, or two jobs on a GPU, will not notice each other; " + advice)
        )
    if skew := max(before_s - made_s, made_s - after_s, 0.0):
        words = f"files written there have times that are off by {skew:.1f} s"
        wrong.append((words, "have the clocks set (NTP): newer inputs are told by their times"))
    for words, what_to_do in wrong:
        yield Finding("error", about, f"on {seen['host']} {words}", what_to_do)
    if kind.gpus and not seen["gpus"]:
        words = f"on {seen['host']} torch finds no GPU, and {kind.gpus} was asked for"
        yield Finding("warning", about, words, "generate and train would run on its CPU")
    if not wrong:
        yield Finding("ok", about, f"ran on {seen['host']}; files, locks and times are shared")
