"""What a job of a run took: time, memory, bytes read and written."""

import os
import re
import resource
import sys
import time
from pathlib import Path

from aacsfnet import runs
from aacsfnet.files import replacing

#: Columns of the file, in order: seconds of the clock since the process began and of processors,
#: its children's too; MiB at the most and moved to and from disks.
COLUMNS = ("seconds", "cpu_seconds", "memory_mib", "read_mib", "written_mib")
_MIB = 1 << 20
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


def file_of(results: Path, output: Path) -> Path:
    """Return where the times of the job that writes a file or folder of results are kept.

    >>> file_of(Path("results/demo"), Path("results/demo/crop/s01.00.parquet")).as_posix()
    'results/demo/benchmarks/crop/s01.00.tsv'
    """
    return results / "benchmarks" / output.relative_to(results).with_suffix(".tsv")


def keep(path: Path) -> None:
    """Write what this process has taken so far."""
    taken = (f"{taken:.2f}" for taken in _taken())
    with replacing(path) as temporary:
        lines = ("\t".join(COLUMNS), "\t".join(taken), "")
        temporary.write_text("\n".join(lines), encoding="utf-8")


def _taken() -> tuple[float, ...]:
    own, children = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(each.ru_utime + each.ru_stime for each in (own, children))
    memory = max(peak_mib(), children.ru_maxrss * _unit() / _MIB)
    moved = ((each * 512) / _MIB for each in (own.ru_inblock, own.ru_oublock))
    return _age(), cpu, memory, *moved


def peak_mib() -> float:
    """Return the most memory that this process has held, MiB.

    Linux counts to a program's `ru_maxrss` what the process that started it had held, however
    little the program takes itself; VmHWM is the program's own.
    """
    try:
        found = _PEAK.search(Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found is not None:
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _unit() / _MIB


def _unit() -> int:
    """Return how many bytes `ru_maxrss` counts in."""
    return 1 if sys.platform == "darwin" else 1024


def _age() -> float:
    """Return for how many seconds this process has been there; NaN where the system has no word."""
    if not (ticks := runs.began(os.getpid())):
        return float("nan")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
