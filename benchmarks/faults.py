"""Random kills and full disks on a very small run: what comes of them equals the undisturbed run.

    python -m benchmarks.faults --kills 30 --full 11 --seed 1

Each fault begins with a copy of the undisturbed results that lacks what one stage makes. The stage
is run and disturbed while its job works: the job, its controller (Snakemake), the worker that forks
jobs or the whole session is killed by SIGKILL at a random moment, or the disk fills up. Then the
same command runs again, and after `aacsfnet clean` the results must be the undisturbed ones, file
by file and byte by byte, with no job due. Full disks are small file systems in memory, which only
root can mount.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from aacsfnet import runs, worker
from aacsfnet.cleaning import leftovers, remove
from aacsfnet.config import load
from aacsfnet.stages import STAGES
from benchmarks.records import record

ROOT = Path(__file__).parent.parent
SETTINGS = {
    "index": {"demo": {"subjects": 4, "sequences": 1, "frames": 3, "picture_size": 128}},
    "prompts": {
        "keep": {"variants": 1, "neutral_share": 0.3},
        "level": {"pictures": 1, "levels": [6]},
    },
    "generate": {"steps": 2, "batch": 2},
    "merge": {"folds": 2, "validation_subjects": 1, "image_size": 64},
    "train": {"epochs": 1, "batch": 4, "state_every": 2},
    "evaluate": {"bootstrap": 200},
    "experiments": {"full": {}},
}
KINDS = ("job", "controller", "session", "worker")
#: What differs between two undisturbed runs: times.
_TIMED = ("logs", "benchmarks", "tensorboard")
_ROOM = 80_000_000  # bytes of the small disk
_TRIES = 4


@dataclass
class Study:
    """A folder with settings and results of a run."""

    folder: Path

    @property
    def results(self) -> Path:
        """The data set's results."""
        return self.folder / "results" / "demo"

    def command(self, *targets: str) -> list[str]:
        """Return the command of a run."""
        settings = self.folder / "study.yaml"
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(self.folder), "--configfile", str(settings), "--cores", "2"),
            *targets,
        ]

    def start(self, *targets: str) -> "subprocess.Popen[str]":
        """Start a run that leads a session of its own; what it says is read after its end."""
        said = tempfile.TemporaryFile("w+")  # noqa: SIM115 it lives as long as the run
        process = subprocess.Popen(
            self.command(*targets), stdout=said, stderr=said, text=True, start_new_session=True
        )
        process.stdout = said
        return process

    def run(self, *targets: str) -> None:
        """Run to the end.

        Raises:
            RuntimeError: it failed.
        """
        process = self.start(*targets)
        if process.wait():
            raise RuntimeError(said_by(process))

    def without(self, stage: str) -> None:
        """Remove what a stage makes."""
        for path in made_by(self.results, stage):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def files(self) -> dict[str, bytes]:
        """Return the files of the results by name, but those that tell times."""
        found = {}
        for path in sorted(self.results.rglob("*")):
            name = path.relative_to(self.results)
            if path.is_file() and not set(name.parts) & set(_TIMED):
                found[str(name)] = _without_times(path)
        return found


def said_by(process: "subprocess.Popen[str]") -> str:
    """Return what a run said."""
    assert process.stdout is not None
    process.stdout.seek(0)
    return process.stdout.read()


def _without_times(path: Path) -> bytes:
    """Return a file's bytes; of those that tell how long it took or when, that they are there."""
    timed = path.name in (".lock", "report.html") or path.match("fold-*/config.json")
    return b"" if timed else path.read_bytes()


def made_by(results: Path, stage: str) -> list[Path]:
    """Return the files and folders that a stage makes."""
    full = results / "experiments" / "full"
    special = {
        "index": [results / "index.parquet"],
        "train": list(full.glob("seed-*")),
        "evaluate": [
            full / name for name in ("metrics.json", "predictions.parquet", "reliability.json")
        ],
        "report": [results / "report.html", results / "report"],
    }
    return special.get(stage) or [results / stage]


def processes_of(session: int, module: bytes) -> dict[int, int]:
    """Return a session's processes of a module of ours and their parents, by their numbers."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            words = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if int(words[3]) == session and words[0] != "Z" and module in command[:3]:
                found[int(folder.name)] = int(words[1])
    return found


def workers_of(session: int) -> list[int]:
    """Return the processes that fork a session's jobs, by their numbers: one at the most."""
    found = processes_of(session, b"aacsfnet.worker")
    return [process for process, parent in found.items() if parent not in found]


def jobs_of(session: int) -> list[int]:
    """Return the jobs that work in a session, forks first, then their commands, by number."""
    forks = processes_of(session, b"aacsfnet.worker").keys() - set(workers_of(session))
    return [*sorted(forks), *processes_of(session, b"aacsfnet")]


def begun(study: Study, process: "subprocess.Popen[str]") -> bool:
    """Wait until a job holds its output; return False if the run ended before."""
    while process.poll() is None:
        if any(study.results.rglob(".*.lock")):
            return True
        time.sleep(0.005)
    return False


def kill(study: Study, stage: str, kind: str, delay: float) -> bool:
    """Run a stage and kill what `kind` says; return whether a job was at work."""
    with study.start(stage) as process:
        if not begun(study, process):
            return False
        time.sleep(delay)
        jobs = jobs_of(process.pid)
        if kind in ("job", "worker"):
            for each in jobs[:1] if kind == "job" else workers_of(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            process.wait()
        elif kind == "controller":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        session = process.pid
    if kind == "controller":
        ended(session)
    return bool(jobs)


def ended(session: int) -> None:
    """See that the jobs of a dead controller end by themselves.

    Raises:
        RuntimeError: they work on.
    """
    deadline = time.monotonic() + 30
    while jobs_of(session):
        if time.monotonic() > deadline:
            raise RuntimeError(f"jobs work on though their controller is dead: {jobs_of(session)}")
        time.sleep(0.02)


def overfill(study: Study, stage: str, left: int) -> bool:
    """Run a stage and fill the disk while its job works; return whether that hit it.

    Raises:
        RuntimeError: the run did not say in one line that the disk is full.
    """
    ballast = study.folder / "ballast"
    with study.start(stage) as process:
        if begun(study, process):
            fill(ballast, left)
        status = process.wait()
        ballast.unlink(missing_ok=True)
        words = said_by(process)
    if status and ("no space left in" not in words or "Traceback" in words):
        raise RuntimeError(f"a full disk is not told in one line:\n{words}")
    return bool(status)


def fill(ballast: Path, left: int) -> None:
    """Fill a file system by a file, but for some bytes."""
    written = 0
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while more := file.write(bytes(1 << 16)):
            written += more
    os.truncate(ballast, max(0, written - left))


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small file system at a folder, until the block ends."""
    folder.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={_ROOM}"]
    subprocess.run(["/bin/mount", *options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def clean(study: Study) -> None:
    """Remove what `aacsfnet clean --yes` removes."""
    config = load(str(study.folder / "study.yaml"))
    remove(config, study.results, leftovers(config, study.results))


def differences(study: Study, wanted: dict[str, bytes]) -> list[str]:
    """Clean results, and return the names of files that differ from the undisturbed ones."""
    clean(study)
    found = study.files()
    return sorted(
        name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)
    )


def undisturbed(folder: Path) -> Study:
    """Make the results that all others are compared with."""
    study = Study(folder / "undisturbed")
    study.folder.mkdir(exist_ok=True)
    settings = SETTINGS | {"results": "results"}
    (study.folder / "study.yaml").write_text(yaml.safe_dump(settings))
    study.run()
    clean(study)
    return study


def disturbed(base: Study, folder: Path, stage: str, kind: str, chance: random.Random) -> bool:
    """Disturb a stage, go on, and compare; return whether a job was hit.

    Raises:
        RuntimeError: something differs from the undisturbed run, or something is left over.
    """
    shutil.copytree(base.folder, folder, dirs_exist_ok=True)
    study = Study(folder)
    study.without(stage)
    if kind == "full":
        hit = overfill(study, stage, chance.randrange(0, 20_000))
    else:
        hit = kill(study, stage, kind, chance.uniform(0, 0.8 * seconds_of(base, stage)))
    study.run(stage)
    if wrong := differences(study, base.files()):
        raise RuntimeError(f"{kind} in {stage}: differ: {', '.join(wrong)}")
    planned = subprocess.run(study.command("--dry-run"), capture_output=True, text=True, check=True)
    if "Nothing to be done" not in planned.stdout + planned.stderr:
        raise RuntimeError(f"{kind} in {stage}: jobs are still due:\n{planned.stdout}")
    return hit


def seconds_of(base: Study, stage: str) -> float:
    """Return how long a job of a stage took, undisturbed."""
    names = {"train": "experiments/full/seed-1/fold-0", "evaluate": "experiments/full"}
    folder = base.results / "benchmarks"
    files = [folder / f"{names.get(stage, stage)}.tsv", *sorted((folder / stage).glob("*.tsv"))]
    path = next(path for path in files if path.is_file())
    return float(path.read_text().splitlines()[1].split("\t")[0])


def faults(folder: Path, kills: int, full: int, seed: int) -> Iterator[tuple[str, str, bool]]:
    """Disturb runs; yield of each that came out equal its kind, stage and whether a job was hit.

    Raises:
        RuntimeError: as `disturbed`.
    """
    chance = random.Random(seed)  # noqa: S311 no secret
    base = undisturbed(folder)
    kinds = [KINDS[number % len(KINDS)] for number in range(kills)] + ["full"] * full
    chance.shuffle(stages := list(STAGES))
    for number, kind in enumerate(kinds):
        stage = stages[number % len(stages)]
        for _ in range(_TRIES):  # until a job was at work when it came
            place = folder / f"disturbed-{number}"
            if kind == "full":
                with small_disk(place):
                    hit = disturbed(base, place, stage, kind, chance)
            else:
                hit = disturbed(base, place, stage, kind, chance)
            shutil.rmtree(place)
            if hit:
                break
        yield kind, stage, hit


def main() -> None:
    """Disturb and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--full", type=int, default=11, help="needs root")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name in (runs.VARIABLE, worker.VARIABLE):
        os.environ.pop(name, None)
    began, done, hits = time.monotonic(), 0, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="aacsfnet-faults-") as name:
        try:
            for kind, stage, hit in faults(Path(name), given.kills, given.full, given.seed):
                done += 1
                hits[f"{kind} in {stage}"] += hit
                words = "hit" if hit else "came after the job's end"
                print(f"{done}: {kind} in {stage}: {words}, equal", flush=True)
        except KeyboardInterrupt:
            print("stopped")
    found = {"equal": done, "of": given.kills + given.full, "jobs hit": dict(sorted(hits.items()))}
    record("faults", found, time.monotonic() - began, seed=given.seed)


if __name__ == "__main__":
    main()
