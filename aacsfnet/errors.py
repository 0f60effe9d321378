"""The errors a user can meet.

    AacsfnetError
    ├── InputError         exit status 2: something the user gave is wrong
    │   ├── SettingsError  a key or value in the configuration
    │   ├── DataError      a data set, manifest or table that cannot be used at all
    │   └── ModelFileError a model folder or checkpoint that is missing, unsafe or altered
    └── WorkError          exit status 1: the work itself failed
        └── LeakError      a held-out subject would reach training

A message says what, got, expected and what to do. What is wrong with one single frame is no
exception: its row keeps a `status` and a `reason` (see `aacsfnet.tables`).
"""


class AacsfnetError(Exception):
    """Base of every error that the package raises on purpose."""

    exit_status = 1


class InputError(AacsfnetError):
    """Something the user gave is wrong; nothing was computed."""

    exit_status = 2


class SettingsError(InputError):
    """A key or value in the configuration is wrong."""


class DataError(InputError):
    """A data set, manifest or table cannot be used."""


class ModelFileError(InputError):
    """A model folder or checkpoint is missing, unsafe to load or altered."""


class WorkError(AacsfnetError):
    """The work itself failed."""


class LeakError(WorkError):
    """A held-out subject, or a picture made from one, would reach training."""


def first_line(error: Exception) -> str:
    """Return the first line of what a library's error says, or its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
