"""Where the `aacsfnet` command, or `python -m aacsfnet`, begins."""

import sys

#: Exit status of a command that Ctrl-C ended, as shells have it.
_INTERRUPTED = 130


def main() -> None:
    """Run the command line, or let the worker of the run that this job belongs to do it."""
    from aacsfnet import worker

    status = worker.ask(sys.argv[1:])
    if status is not None:
        sys.exit(status)
    run()


def run() -> None:
    """Run the command line; one line where Ctrl-C ends it, also while modules are imported."""
    try:
        from aacsfnet.cli import main as command

        command()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != _INTERRUPTED:
            raise
        sys.stderr.write("aacsfnet: interrupted\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
