"""The `aacsfnet` command: one command a stage, and a few beside them.

A command reads files, calls the stage's function and writes files; nothing else happens here.
Exit status: 0 done, 1 the work failed, 2 the input or the settings are wrong.
"""

import os
import sys
from pathlib import Path

from aacsfnet import __version__
from aacsfnet.cli import stages, tools  # noqa: F401 in help's order, each registers its commands
from aacsfnet.cli.app import app
from aacsfnet.errors import AacsfnetError
from aacsfnet.space import NoSpaceError, lacks_space
from aacsfnet.surroundings import own_temporary

__all__ = ["app", "main", "prepare"]


def prepare(network: bool = False) -> None:
    """Set what libraries read from the environment when they are loaded.

    Args:
        network: whether model libraries may use it.
    """
    if not network:
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    # The allocator of polars keeps what is freed for ten seconds, of a million rows 0.1 GB.
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
    if cache := own_temporary("aacsfnet-matplotlib"):  # mediapipe imports it, too; not in the home
        os.environ.setdefault("MPLCONFIGDIR", str(cache))


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    prepare(network=arguments[:1] == ["fetch-models"])
    if arguments[:1] == ["--version"]:
        sys.stdout.write(f"aacsfnet {__version__}\n")
        sys.exit(0)
    try:
        app(arguments, prog_name="aacsfnet")
    except BrokenPipeError:  # who read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except AacsfnetError as error:
        sys.stderr.write(f"aacsfnet: {error}\n")
        sys.exit(error.exit_status)
    except Exception as error:
        if not lacks_space(error):
            raise
        where = error.filename if isinstance(error, OSError) and error.filename else "."
        sys.stderr.write(f"aacsfnet: {NoSpaceError(Path(where).parent)}\n")
        sys.exit(NoSpaceError.exit_status)
