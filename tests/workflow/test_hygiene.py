"""A whole run seen by strace: what it writes, and where."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

#: Calls that make, change or remove a file.
CALLS = (
    *("open", "openat", "creat", "mkdir", "mkdirat", "rename", "renameat", "renameat2"),
    *("unlink", "unlinkat", "link", "linkat", "symlink", "symlinkat", "truncate", "chmod"),
)
LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += +(\d+)")


def written(trace, folder):
    """Return the paths that processes wrote to: relative ones are of the folder of the run."""
    found = set()
    for line in trace.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if match is None:  # it failed, or goes on in another line
            continue
        _, call, arguments, _ = match.groups()
        if call.startswith("open") and not re.search(r"O_WRONLY|O_RDWR|O_CREAT", arguments):
            continue
        # A descriptor of a folder comes with its path (strace -y).
        base = re.match(r"(?:AT_FDCWD|\d+)<([^>]*)>", arguments)
        for name in re.findall(r'"((?:[^"\\]|\\.)*)"', arguments):
            found.add(Path(os.path.normpath(Path(base[1] if base else folder) / name)))
    return found


@pytest.mark.slow
def test_nothing_is_written_outside_results_and_temporary_files(study, tiny, tmp_path, monkeypatch):
    if not shutil.which("strace"):
        pytest.skip("needs strace")
    for name in ("home", "temporary", "run"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    tiny |= {"experiments": {"full": {}}, "generate": {"steps": 2, "batch": 4}}
    demo = study(tiny)
    trace = tmp_path / "trace"
    calls = ["-e", f"trace={','.join(CALLS)}", "-o", str(trace)]
    done = subprocess.run(
        ["strace", "-f", "-y", "--seccomp-bpf", "-qq", *calls, *demo.command()],
        capture_output=True,
        text=True,
        umask=0o027,
    )
    if "ptrace" in done.stderr.lower() and not demo.results.exists():
        pytest.skip(f"strace may not trace here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    found = written(trace, demo.folder)
    assert demo.results / "report.html" in found
    allowed = (
        *(demo.results, demo.folder / ".snakemake", tmp_path / "temporary"),
        tmp_path / "home" / ".cache" / "snakemake",  # Snakemake's own
    )
    above = {parent for path in allowed for parent in path.parents}
    outside = {
        path
        for path in found - above
        if not any(path.is_relative_to(each) for each in allowed)
        and not re.match(r"/(dev|proc|sys)/", str(path))
    }
    assert not outside
    # The umask holds for whatever is kept.
    open_to_others = [
        path
        for path in demo.results.rglob("*")
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o027
    ]
    assert not open_to_others
