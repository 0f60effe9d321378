"""Which software computes: the versions of packages, and the commit of this one's code."""

import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from aacsfnet import __version__

_HERE = Path(__file__).parent


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed, in the order given."""
    found = {name: _version(name) for name in packages}
    return {name: version for name, version in found.items() if version}


def _version(package: str) -> str | None:
    if package == "aacsfnet":
        return __version__
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def commit(package: Path = _HERE) -> str | None:
    """Return the commit that a package's folder is checked out from.

    None where the code is no git checkout, for instance an installed package: in a virtual
    environment inside somebody's repository it is not that repository's code.
    """
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    return _git(package, "rev-parse", "HEAD")


def altered(package: Path = _HERE) -> bool:
    """Return whether a package's folder differs from its commit."""
    return bool(_git(package, "status", "--porcelain", "--", "."))


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says in a folder; None where it fails or is not installed."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(  # noqa: S603 fixed arguments, no shell
        [git, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},  # only look: take no lock
    )
    return done.stdout.strip() if done.returncode == 0 else None
