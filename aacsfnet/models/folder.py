"""A model in a folder: `model.safetensors`, and `config.json` with all to rebuild it.

The description is read where no torch is wanted, so what is heavy is imported where it is used.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from aacsfnet.errors import ModelFileError
from aacsfnet.files import replacing
from aacsfnet.layout import Trained

if TYPE_CHECKING:
    from aacsfnet.models.network import Network

FORMAT = 1


def save_model(model: "Network", folder: Path, about: dict[str, Any]) -> None:
    """Write a network's weights and settings into a folder, each file atomically.

    Args:
        model: the network.
        folder: made if it is not there.
        about: further entries of `config.json`: the label, how it was trained.
    """
    from safetensors.torch import save_file

    description = {"format": FORMAT, "name": model.name, "settings": model.settings} | about
    weights = {name: value.contiguous().cpu() for name, value in model.state_dict().items()}
    with replacing(Trained(folder).weights) as temporary:
        save_file(weights, temporary)
    with replacing(Trained(folder).description) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def save_skipped(folder: Path, reason: str, **about: object) -> None:
    """Write the files of a model that was not trained; `load_model` refuses them and says why.

    `about` holds further entries of `config.json`.
    """
    from safetensors.torch import save_file

    for path in (Trained(folder).weights, Trained(folder).features):
        with replacing(path) as temporary:
            save_file({}, temporary)
    with replacing(Trained(folder).description) as temporary:
        description = {"format": FORMAT, "skipped": reason} | about
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def read_description(folder: str | Path) -> dict[str, Any]:
    """Return what a model folder's `config.json` says.

    Raises:
        ModelFileError: the file is missing, is not JSON or is of another format, or the model was
            not trained.
    """
    description = _read(folder)
    if "skipped" in description:
        path, reason = Trained(Path(folder)).description, description["skipped"]
        raise ModelFileError(f"{path}: not trained ({reason}); give the folder of another fold")
    return description


def is_skipped(folder: str | Path) -> bool:
    """Return whether a folder says that its model was not trained; raises as `read_description`."""
    return "skipped" in _read(folder)


def _read(folder: str | Path) -> dict[str, Any]:
    path = Trained(Path(folder)).description
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file; give the folder of a trained model") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(f"{path}: not JSON ({error})") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise ModelFileError(f"{path}: expected the description of a model, format {FORMAT}")
    return description


def load_model(folder: str | Path) -> "Network":
    """Return the network that a folder holds, in evaluation mode, on the CPU.

    Raises:
        ModelFileError: a file is missing, altered, or does not fit the other.
    """
    from safetensors.torch import load_file

    from aacsfnet.models.create import create_model

    description = read_description(folder)
    path = Trained(Path(folder)).weights
    try:
        weights = load_file(path)
    except (FileNotFoundError, SafetensorError) as error:
        raise ModelFileError(f"{path}: cannot be read ({error})") from None
    model = create_model(description["name"], **description["settings"])
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelFileError(
            f"{path}: does not fit config.json beside it ({' '.join(str(error).split())[:300]})"
        ) from None
    return model.eval()
