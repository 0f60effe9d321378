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

import os
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from aacsfnet.worker.protocol import BEGUN, UNDONE, Request, address, send, told, user_of

#: The environment variable that names a run's worker; set beforehand to anything, there is none.
VARIABLE = "AACSFNET_WORKER"
_ACCELERATORS = (Path("/dev/nvidiactl"), Path("/dev/kfd"))


def start() -> dict[str, str]:
    """Start a worker that ends with this process; return the environment that names it to jobs.

    It is empty where there can be none or the environment says something of it already.
    """
    if VARIABLE in os.environ or not _possible() or any(each.exists() for each in _ACCELERATORS):
        return {}
    name = f"aacsfnet-{secrets.token_hex(16)}"
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address(name))  # before the worker is there: jobs may ask at once
        listening.listen(128)
        os.set_inheritable(listening.fileno(), True)
        os.posix_spawn(
            sys.executable,
            [
                sys.executable,
                "-m",
                "aacsfnet.worker.serve",
                f"{listening.fileno()}",
                f"{os.getpid()}",
            ],
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


def ask(arguments: Sequence[str]) -> int | None:
    """Let the run's worker do a command; return its exit status, None where nobody does it.

    A command that ended by a signal ends this process by the same.
    """
    name = os.environ.get(VARIABLE)
    if not name or not hasattr(socket, "SO_PEERCRED"):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address(name))
            if user_of(connection) != os.getuid():
                return None
            send(connection, Request(list(arguments), str(Path.cwd()), dict(os.environ)))
            if told(connection) != BEGUN:
                return None
        except OSError:
            return None
        # What ends a run by the keyboard reaches the fork, too, and that says how it ends.
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = told(connection)
    if status == UNDONE:
        signal.signal(signal.SIGINT, handler)
        return None
    if status is None:
        sys.stderr.write("aacsfnet: the worker of this run has ended, and this job with it\n")
        return 1
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status
