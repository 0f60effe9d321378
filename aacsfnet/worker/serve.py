"""The worker itself: it loads libraries and forks."""

import array
import atexit
import ctypes
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
from contextlib import suppress

from aacsfnet.worker import VARIABLE
from aacsfnet.worker.protocol import BEGUN, UNDONE, Request, receive, tell, user_of

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
_PR_SET_PDEATHSIG = 1


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
        try:
            connection, _ = self._listening.accept()
        except OSError:  # who asked is gone, or there are too many open files
            return None
        connection.settimeout(10)
        files = array.array("i")
        process = None
        try:
            if user_of(connection) != os.getuid():
                raise ValueError
            request, files = receive(connection)
            connection.settimeout(None)
            if not self._load(request.arguments[0]):
                raise ValueError
            tell(connection, BEGUN)
            process = self._fork(connection)
        except (OSError, ValueError, LookupError, TypeError):
            connection.close()
        if process == 0:
            self._become(request, connection, files)
            return request
        for each in files:
            os.close(each)
        return None

    def _fork(self, connection: socket.socket) -> int:
        """Fork and watch the fork; return its number, 0 in it.

        Raises:
            OSError: it cannot be, and who asked was told so, or is gone.
        """
        process = -1
        try:
            if (process := os.fork()) == 0:
                return 0
            watched = os.pidfd_open(process)
        except OSError:
            if process > 0:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
            tell(connection, UNDONE)
            raise
        self._jobs[watched] = process, connection
        self._selector.register(watched, selectors.EVENT_READ)
        self._selector.register(connection, selectors.EVENT_READ)
        return process

    def _load(self, stage: str) -> bool:
        """Load what a stage uses; return whether this process can be forked for it."""
        for name in _LIBRARIES[stage]:
            if name not in self._loaded:
                with suppress(Exception):  # the job itself says what is wrong with a library
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
        os.environ.clear()
        os.environ.update(request.environment)
        del os.environ[VARIABLE]

    def _ended(self, watched: int) -> None:
        """Tell who asked how the job ended."""
        process, connection = self._jobs.pop(watched)
        _, status = os.waitpid(process, 0)
        with suppress(OSError):
            tell(connection, os.waitstatus_to_exitcode(status))
        self._selector.unregister(watched)
        os.close(watched)
        with suppress(KeyError):
            self._selector.unregister(connection)
        connection.close()

    def _given_up(self, connection: socket.socket) -> None:
        """End the job of a command that is gone."""
        if connection.fileno() < 0:  # the job ended at the same moment
            return
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
    """Serve a run: `python -m aacsfnet.worker.serve SOCKET RUN`, a file and a process by number."""
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
        os.chdir(request.folder)
    except OSError as error:
        sys.stderr.write(f"aacsfnet: {request.folder}: {error.strerror}\n")
        _finish(1)
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
