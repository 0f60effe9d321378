"""Where the `aacsfnet` command, or `python -m aacsfnet`, begins."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

#: Exit status of a command that Ctrl-C ended, as shells have it.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line, or let the worker of the run that this job belongs to do it."""
    with _one_line_for_the_keyboard():
        from aacsfnet import worker

        status = worker.ask(sys.argv[1:])
    if status is not None:
        sys.exit(status)
    run()


def run() -> None:
    """Run the command line."""
    with _one_line_for_the_keyboard():
        from aacsfnet.cli import main as command

        command()


@contextmanager
def _one_line_for_the_keyboard() -> Iterator[None]:
    """Say in one line that Ctrl-C ended the command, also while modules are imported."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != _INTERRUPTED:
            raise
        sys.stderr.write("aacsfnet: interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
