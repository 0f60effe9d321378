"""How far a long command is: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich import progress
from rich.console import Console

#: A log gets a line each so many seconds.
_EVERY_SECONDS = 15.0


class Progress(Protocol):
    """Is told of files and frames."""

    def begin(self, name: str, expected: int) -> None:
        """Begin a file of about so many frames; 0: unknown."""

    def advance(self) -> None:
        """Count one frame."""

    def end(self) -> None:
        """End the file."""


class Unseen:
    """Shows nothing."""

    def begin(self, name: str, expected: int) -> None:
        """Begin a file."""

    def advance(self) -> None:
        """Count one frame."""

    def end(self) -> None:
        """End the file."""


class Lines:
    """Writes a line at the end of a file, and every quarter of a minute before."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def begin(self, name: str, expected: int) -> None:
        """Begin a file."""
        self._name, self._expected, self._done = name, expected, 0
        self._start = self._told = time.monotonic()

    def advance(self) -> None:
        """Count one frame."""
        self._done += 1
        now = time.monotonic()
        if now - self._told < _EVERY_SECONDS:
            return
        self._told = now
        rate = self._done / (now - self._start)
        of = f" of about {self._expected}" if self._expected else ""
        left = max(0, self._expected - self._done) / rate
        more = f", {left:.0f} s left" if self._expected else ""
        self._say(f"{self._done}{of} frames, {rate:.1f} a second{more}")

    def end(self) -> None:
        """End the file."""
        seconds = time.monotonic() - self._start
        rate = f", {self._done / seconds:.1f} a second" if self._done > 1 else ""
        self._say(f"{self._done} frame{'s' * (self._done != 1)}{rate}")

    def _say(self, words: str) -> None:
        self._file.write(f"{self._name}: {words}\n")
        self._file.flush()


class _Rate(progress.ProgressColumn):
    """How many frames a second."""

    def render(self, task: progress.Task) -> str:
        """Return the rate of a task."""
        return f"{task.finished_speed or task.speed or 0.0:.1f} a second,"


class Bar:
    """Shows a bar, the rate and the time left."""

    def __init__(self, file: TextIO) -> None:
        self._bars = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("frames,"),
            _Rate(),
            progress.TimeRemainingColumn(),
            console=Console(file=file),
        )
        self._bars.start()

    def begin(self, name: str, expected: int) -> None:
        """Begin a file."""
        self._task = self._bars.add_task(name, total=expected or None)

    def advance(self) -> None:
        """Count one frame."""
        self._bars.advance(self._task)

    def end(self) -> None:
        """End the file; the bar then counts what there was."""
        done = self._bars.tasks[-1].completed
        self._bars.update(self._task, total=done)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bars.stop()


@contextmanager
def telling(file: TextIO = sys.stderr) -> Iterator[Progress]:
    """Yield a bar where a file is a terminal, else plain lines."""
    if not file.isatty():
        yield Lines(file)
        return
    bar = Bar(file)
    try:
        yield bar
    finally:
        bar.close()
