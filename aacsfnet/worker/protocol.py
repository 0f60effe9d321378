"""What a job and its run's worker say to each other, by a socket."""

import array
import json
import os
import socket
import struct
from dataclasses import dataclass

#: Told before the fork; without it nothing has begun, and the command may do its work itself.
BEGUN = 1000
#: Told after it where no process could be made for the command, which does its work itself then.
UNDONE = 1001


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


def address(name: str) -> str:
    """Return a socket's name that is no file: nothing is left of it when its process is killed."""
    return f"\0{name}"


def user_of(connection: socket.socket) -> int:
    """Return the number of the user at a connection's other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", credentials)[1])


def send(connection: socket.socket, request: Request) -> None:
    """Send a request and this process's first three open files.

    Raises:
        OSError: the other end is gone.
    """
    told = json.dumps([request.arguments, request.folder, request.environment]).encode()
    socket.send_fds(connection, [struct.pack("<q", len(told))], [0, 1, 2])
    connection.sendall(told)


def receive(connection: socket.socket) -> tuple[Request, array.array]:
    """Return what `send` sent, and the open files that came with it.

    Raises:
        OSError: the other end is gone.
        ValueError: it is no request.
    """
    head, received, _, _ = socket.recv_fds(connection, 8, 3)
    files = array.array("i", received)
    told = bytearray()
    try:
        while len(head) == 8 and len(told) < struct.unpack("<q", head)[0]:
            if not (part := connection.recv(1 << 20)):
                break
            told += part
        return Request(*json.loads(told)), files
    except BaseException:
        for each in files:
            os.close(each)
        raise


def tell(connection: socket.socket, number: int) -> None:
    """Tell a job `BEGUN`, or the exit status of its fork.

    Raises:
        OSError: the other end is gone.
    """
    connection.sendall(struct.pack("<i", number))


def told(connection: socket.socket) -> int | None:
    """Return the number that the worker tells; None if it is gone before."""
    try:
        answer = connection.recv(4, socket.MSG_WAITALL)
    except OSError:
        return None
    return int(struct.unpack("<i", answer)[0]) if len(answer) == 4 else None
