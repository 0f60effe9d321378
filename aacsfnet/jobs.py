"""The command of a stage as a job: alone with its output, tied to its run, clear about faults."""

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import lock_descriptor

from aacsfnet import runs, times
from aacsfnet.errors import SettingsError, WorkError
from aacsfnet.files import is_left
from aacsfnet.space import NoSpaceError, lacks_space
from aacsfnet.surroundings import scarce

#: Between two tries for an output that another process writes.
_SECONDS = 1
#: Variables of the libraries that share sums among threads; Snakemake sets all of them.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_Hook = Callable[[threading.ExceptHookArgs], object]


@contextmanager
def working_on(stage: str, output: Path) -> Iterator[None]:
    """Let a stage's command write its output: one process at a time, and no longer than its run.

    What dead processes left of the same output is removed before. Sums depend on how many threads
    they are shared among, so there is one, whatever the machine; another number is asked for by
    `AACSFNET_THREADS` and stands in recipes and `config.json`.

    Args:
        stage: its name.
        output: the file or folder that it writes.

    Raises:
        SettingsError: `AACSFNET_THREADS` is no number of threads.
        WorkError: its run is over, the disk is full, or the output may not be written.
    """
    limit_threads()
    unhandled = threading.excepthook
    threading.excepthook = _briefly(stage, output, unhandled)
    try:
        # The first line also takes the room in the log that a later word on a full disk needs.
        print(f"{stage}: {output}", flush=True)  # noqa: T201 the job's log
        runs.follow()
        with only_writer(output):
            _sweep(output)
            yield
        if run := runs.named():
            times.keep(times.file_of(Path(run.lock).parent, output.resolve()))
    except Exception as error:
        if lacks_space(error):
            raise WorkError(_no_space(error, output).in_words(stage)) from error
        if isinstance(error, OSError) and error.errno in _FORBIDDEN:
            raise WorkError(f"{stage}: {error.filename or output}: {error.strerror}") from error
        raise
    finally:
        threading.excepthook = unhandled


def _briefly(stage: str, output: Path, otherwise: _Hook) -> _Hook:
    """Return a hook that tells of a full disk in one line where a thread ends by it.

    TensorBoard writes in a thread, and passes its error on to the stage besides.
    """

    def hook(ended: threading.ExceptHookArgs) -> None:
        if lacks_space(ended.exc_value):
            words = _no_space(ended.exc_value, output).in_words(stage)
            print(words, file=sys.stderr)  # noqa: T201
        else:
            otherwise(ended)

    return hook


def _no_space(error: BaseException | None, output: Path) -> NoSpaceError:
    """Return which disk is full: the one that an error names, or else the one that is full now."""
    if isinstance(error, NoSpaceError):
        return error
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return NoSpaceError(Path(error.filename).absolute().parent)
    for folder in (output.parent, Path(os.environ.get("TMPDIR") or "/tmp"), Path("/dev/shm")):  # noqa: S108
        with suppress(OSError):
            if scarce(folder):
                return NoSpaceError(folder)
    return NoSpaceError(output.parent)


def limit_threads() -> None:
    """Set how many threads libraries share sums among; they read it when they are loaded.

    Raises:
        SettingsError: `AACSFNET_THREADS` is no such number.
    """
    os.environ.update(dict.fromkeys(_THREADS, threads()))


def threads() -> str:
    """Return how many threads a stage computes with on a CPU.

    Raises:
        SettingsError: `AACSFNET_THREADS` is no such number.
    """
    wanted = os.environ.get("AACSFNET_THREADS") or "1"
    if not wanted.isdecimal() or int(wanted) < 1:
        raise SettingsError(f"AACSFNET_THREADS = {wanted!r}: expected a number of threads from 1")
    return wanted


@contextmanager
def only_writer(output: Path) -> Iterator[None]:
    """Hold an output by a lock on a file beside it; wait while another process has it.

    The system releases the lock of a killed process, on every machine that shares the folder.
    """
    path = lock_of(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if _lock(descriptor, path):
                if _is(descriptor, path):
                    break
            elif not told:
                told = True
                holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
                words = f"{holder or 'another process'} still writes {output}; waiting for its end"
                print(words, flush=True)  # noqa: T201 the job's log
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if told:
            time.sleep(_SECONDS)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def lock_of(output: Path) -> Path:
    """Return the file by which an output is held.

    >>> lock_of(Path("crop/s01.00.parquet")).as_posix()
    'crop/.s01.00.parquet.lock'
    """
    return output.with_name(f".{output.name}.lock")


def is_left_lock(path: Path) -> bool:
    """Return whether a file is the lock of an output that nobody writes any more."""
    if not (path.name.startswith(".") and path.name.endswith(".lock") and path.name != ".lock"):
        return False
    with suppress(OSError), path.open("r+b") as file:
        return lock_descriptor(file.fileno(), blocking=False)
    return False


def _lock(descriptor: int, path: Path) -> bool:
    try:
        return lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        print(  # noqa: T201 the job's log
            f"{path.parent}: this file system has no locks ({error.strerror}); see that no job of"
            " an earlier run still works here"
        )
        return True


def _is(descriptor: int, path: Path) -> bool:
    """Return whether a file that was opened is still the one of that name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


def _sweep(output: Path) -> None:
    """Remove temporary files that dead processes left of an output: they may fill the disk."""
    beside = output.parent.glob(f".{output.name}.*.tmp") if output.parent.is_dir() else ()
    within = output.rglob(".*.tmp") if output.is_dir() else ()
    for path in (*beside, *within):
        with suppress(FileNotFoundError):
            if is_left(path):
                path.unlink()
