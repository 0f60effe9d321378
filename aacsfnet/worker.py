"""A process of a run that has loaded the libraries, and of which the run's jobs are forks.

Loading torch, diffusers, lightning and mediapipe anew takes a quarter of the demo's job time. A run
that computes on its own machine therefore starts one worker; a job's command asks it by a socket,
which the environment names, and gives it its arguments, environment and open files. The worker
loads what the job's stage uses, once, and forks; the command waits and ends as the fork does. Where
there is no worker, or it refuses, the command does its work itself: results are the same.

A worker never computes, so that it has one thread and can be forked. It is for Linux, whose kernel
tells the end of processes by files, and for machines without a GPU: a library that has looked at
one cannot be forked.
"""

import array
import atexit
import ctypes
import json
import os
import pkgutil
import secrets
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: The environment variable that names a run's worker; set beforehand to anything, there is none.
VARIABLE = "AACSFNET_WORKER"
_ACCELERATORS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
_FACES = ("cv2", "mediapipe", "mediapipe.python.packet_creator", "scipy.spatial", "scipy.ndimage")
_DIFFUSION = (
    *("cv2", "torch", "diffusers.StableDiffusionControlNetImg2ImgPipeline"),
    *("diffusers.StableDiffusionDepth2ImgPipeline", "transformers.CLIPTokenizer"),
)
#: What each stage imports that takes long. Not polars and pyarrow: they start threads at once.
_LIBRARIES = {
    "index": ("cv2", "scipy.ndimage"),
    "crop": _FACES,
    "landmarks": _FACES,
    "prompts": ("cv2", "scipy.spatial", "transformers.CLIPTokenizer"),
    "depth": ("cv2", "scipy.spatial", "scipy.ndimage"),
    "generate": _DIFFUSION,
    "quality": (*_FACES, *_DIFFUSION),
    "merge": ("cv2",),
    "train": ("cv2", "torch", "timm", "lightning", "scipy.stats"),
    "evaluate": ("scipy.stats",),
    "report": ("cv2", "scipy.ndimage", "matplotlib.figure", "jinja2"),
}
#: Told before the fork; without it nothing has begun, and the command may do its work itself.
_BEGUN = 1000
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Request:
    """A command as a job gave it.

    Attributes:
        arguments: of `aacsfnet`.
        folder: in which it works.
        environment: all of it.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]


# -- a run's side --------------------------------------------------------------------------------


def start() -> dict[str, str]:
    """Start a worker that ends with this process; return the environment that names it to jobs.

    It is empty where there can be none or the environment says something of it already.
    """
    if VARIABLE in os.environ or not _possible() or any(each.exists() for each in _ACCELERATORS):
        return {}
    name = f"aacsfnet-{secrets.token_hex(16)}"
    home = str(Path(__file__).parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(_address(name))  # before the worker is there: jobs may ask at once
        listening.listen(128)
        os.set_inheritable(listening.fileno(), True)
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "aacsfnet.worker", f"{listening.fileno()}", f"{os.getpid()}"],
            os.environ | {"PYTHONPATH": path},
            file_actions=[(os.POSIX_SPAWN_OPEN, own, os.devnull, os.O_RDWR, 0) for own in range(3)],
        )
    return {VARIABLE: name}


def _possible() -> bool:
    if not (hasattr(os, "pidfd_open") and hasattr(socket, "SO_PEERCRED")):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # a kernel, or a sandbox, without
        return False
    return True


def _address(name: str) -> str:
    """Return a socket's name that is no file: nothing is left of it when its process is killed."""
    return f"\0{name}"


# -- a job's side --------------------------------------------------------------------------------


def ask(arguments: Sequence[str]) -> int | None:
    """Let the run's worker do a command; return its exit status, None where nobody does it.

    A command that ended by a signal ends this process by the same.
    """
    name = os.environ.get(VARIABLE)
    if not name or not hasattr(socket, "SO_PEERCRED"):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(_address(name))
            if _user_of(connection) != os.getuid():
                return None
            _send(connection, Request(list(arguments), str(Path.cwd()), dict(os.environ)))
            if _told(connection) != _BEGUN:
                return None
        except OSError:
            return None
        # What ends a run by the keyboard reaches the fork, too, and that says how it ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = _told(connection)
    if status is None:
        sys.stderr.write("aacsfnet: the worker of this run has ended, and this job with it\n")
        return 1
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _told(connection: socket.socket) -> int | None:
    """Return the number that the worker tells; None if it is gone before."""
    try:
        answer = connection.recv(4, socket.MSG_WAITALL)
    except OSError:
        return None
    return int(struct.unpack("<i", answer)[0]) if len(answer) == 4 else None


def _user_of(connection: socket.socket) -> int:
    """Return the number of the user at a connection's other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[1])


def _send(connection: socket.socket, request: Request) -> None:
    told = json.dumps([request.arguments, request.folder, request.environment]).encode()
    socket.send_fds(connection, [struct.pack("<q", len(told))], [0, 1, 2])
    connection.sendall(told)


def _receive(connection: socket.socket) -> tuple[Request, array.array]:
    """Return what `_send` sent, and the open files that came with it.

    Raises:
        OSError: the other end is gone.
        ValueError: it is no request.
    """
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    told = bytearray()
    while len(head) == 8 and len(told) < struct.unpack("<q", head)[0]:
        if not (part := connection.recv(1 << 20)):
            break
        told += part
    return Request(*json.loads(told)), array.array("i", files)


# -- the worker ----------------------------------------------------------------------------------


class Worker:
    """Forks the jobs of the run that started this process.

    Args:
        listening: socket at which jobs ask.
        run: number of the run's process.
    """

    def __init__(self, listening: socket.socket, run: int) -> None:
        self._listening = listening
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._run = os.pidfd_open(run)
        self._selector.register(self._run, selectors.EVENT_READ)
        self._jobs: dict[int, tuple[int, socket.socket]] = {}  # process and asker by the pidfd
        self._loaded: set[str] = set()

    def serve(self) -> Request:
        """Fork a process for each request: it returns in each fork, and never in the worker."""
        while True:
            for key, _ in self._selector.select():
                found = key.fileobj
                if found is self._listening:
                    if request := self._accept():
                        return request
                elif found == self._run:
                    os._exit(0)
                elif isinstance(found, int):
                    self._ended(found)
                elif isinstance(found, socket.socket):
                    self._given_up(found)

    def _accept(self) -> Request | None:
        """Answer a job that asks; return its request in the fork."""
        connection, _ = self._listening.accept()
        connection.settimeout(10)
        files = array.array("i")
        try:
            if _user_of(connection) != os.getuid():
                raise ValueError
            request, files = _receive(connection)
            connection.settimeout(None)
            if not self._load(request.arguments[0]):
                raise ValueError
            connection.sendall(struct.pack("<i", _BEGUN))
            if (process := os.fork()) == 0:
                self._become(request, connection, files)
                return request
            watched = os.pidfd_open(process)
            self._jobs[watched] = process, connection
            self._selector.register(watched, selectors.EVENT_READ)
            self._selector.register(connection, selectors.EVENT_READ)
        except (OSError, ValueError, LookupError, TypeError):
            connection.close()
        for each in files:
            os.close(each)
        return None

    def _load(self, stage: str) -> bool:
        """Load what a stage uses; return whether this process can be forked for it."""
        for name in _LIBRARIES[stage]:
            if name not in self._loaded:
                with suppress(ImportError, AttributeError):
                    pkgutil.resolve_name(name)
                self._loaded.add(name)
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 names are enough

    def _become(self, request: Request, connection: socket.socket, files: array.array) -> None:
        """Make a fork the process that asked."""
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._selector.close()
        for watched, (_, other) in self._jobs.items():
            os.close(watched)
            other.close()
        for mine in (connection, self._listening):
            mine.close()
        os.close(self._run)
        for own, given in enumerate(files):
            os.dup2(given, own)
            os.close(given)
        os.chdir(request.folder)
        os.environ.clear()
        os.environ.update(request.environment)
        del os.environ[VARIABLE]

    def _ended(self, watched: int) -> None:
        """Tell who asked how the job ended."""
        process, connection = self._jobs.pop(watched)
        _, status = os.waitpid(process, 0)
        with suppress(OSError):
            connection.sendall(struct.pack("<i", os.waitstatus_to_exitcode(status)))
        self._selector.unregister(watched)
        os.close(watched)
        with suppress(KeyError):
            self._selector.unregister(connection)
        connection.close()

    def _given_up(self, connection: socket.socket) -> None:
        """End the job of a command that is gone."""
        self._selector.unregister(connection)
        for process, other in self._jobs.values():
            if other is connection:
                os.kill(process, signal.SIGTERM)


def _finish(status: int) -> None:
    """End this process without taking down what it shares with the worker, which would copy it."""
    with suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(status)


def main() -> None:
    """Serve a run: `python -m aacsfnet.worker SOCKET RUN`, an open file and a process by number."""
    from aacsfnet import cli, jobs
    from aacsfnet.__main__ import run

    listening, its_run = map(int, sys.argv[1:])
    cli.prepare()
    jobs.limit_threads()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends the jobs; the worker ends with its run
    worker = Worker(socket.socket(fileno=listening), its_run)
    if os.getppid() != its_run:
        return
    request = worker.serve()
    sys.argv = ["aacsfnet", *request.arguments]
    status = 0
    try:
        run()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    _finish(status)


if __name__ == "__main__":
    main()
