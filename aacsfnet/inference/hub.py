"""A trained model as a folder that the Hugging Face hub takes: `aacsfnet export --to huggingface`.

The files lie as `Predictor` reads them, so the folder works as it is, here and after a download;
`README.md` is the model card, filled from what the run noted. Nothing is uploaded.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import jinja2

from aacsfnet.errors import ModelFileError
from aacsfnet.files import replacing
from aacsfnet.inference.predictor import Predictor
from aacsfnet.layout import Evaluated, Trained
from aacsfnet.models.folder import read_description

_CARD = Path(__file__).parent / "card.jinja"
#: Measures of the card's table, in order, as `metrics.json` names them.
_MEASURES = {"pcc": "PCC", "icc": "ICC(3,1)", "ccc": "CCC", "mae": "MAE", "rmse": "RMSE"}


def export_huggingface(model: Path, folder: Path) -> list[str]:
    """Write the networks' files and a model card; return what to tell of it, line by line.

    Args:
        model: the folder of one trained network, or of an experiment.
        folder: to write into; new or empty, so that nothing of another model stays.

    Raises:
        ModelFileError: the folder holds no usable model, or the target holds files.
    """
    predictor = Predictor(model)
    if folder.exists() and any(folder.iterdir()):
        raise ModelFileError(f"{folder}: holds files already; give a new folder")
    members = [member.folder for member in predictor.members]
    descriptions = [_without_paths(read_description(each)) for each in members]
    for source, description in zip(members, descriptions, strict=True):
        inside = source.relative_to(model) if len(members) > 1 or source != model else Path()
        files, target = Trained(source), Trained(folder / inside)
        target.folder.mkdir(parents=True, exist_ok=True)
        for path in (files.weights, files.features):
            if path.is_file():
                with replacing(target.folder / path.name) as temporary:
                    shutil.copyfile(path, temporary)
        with replacing(target.description) as temporary:
            temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    if predictor.reliability is not None:
        with replacing(Evaluated(folder).reliability) as temporary:
            temporary.write_text(predictor.reliability.as_json(), encoding="utf-8")
    metrics = _metrics(model, alone=members == [model])
    if metrics is not None:
        with replacing(Evaluated(folder).metrics) as temporary:
            temporary.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
    with replacing(folder / "README.md") as temporary:
        temporary.write_text(_card(predictor, descriptions, metrics), encoding="utf-8")
    return [
        f"{folder}: {len(members)} network{'s' * (len(members) > 1)} and a model card;"
        " read the card and complete what only you know before you share it"
    ]


def _without_paths(description: dict[str, Any]) -> dict[str, Any]:
    """Return a description in which a file of pretrained weights has its name alone."""
    training = description.get("training", {})
    pretrained = training.get("pretrained")
    if not pretrained:
        return description
    return description | {"training": training | {"pretrained": Path(pretrained).name}}


def _metrics(model: Path, *, alone: bool) -> dict[str, Any] | None:
    """Return the experiment's figures, of one of its folds too; None where it has none."""
    places = (model, model.resolve().parent.parent) if alone else (model,)
    for place in places:
        path = Evaluated(place).metrics
        if path.is_file():
            try:
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            except json.JSONDecodeError as error:
                raise ModelFileError(f"{path}: not JSON ({error}); run evaluate again") from None
            return found
    return None


def _card(
    predictor: Predictor, descriptions: list[dict[str, Any]], metrics: dict[str, Any] | None
) -> str:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 Markdown; texts are this package's and the user's own
    )
    environment.filters["figure"] = _figure
    template = environment.from_string(_CARD.read_text(encoding="utf-8"))
    trainings = [each.get("training", {}) for each in descriptions]
    return template.render(
        predictor=predictor,
        label=predictor.label,
        descriptions=descriptions,
        trainings=trainings,
        first=descriptions[0],
        training=trainings[0],
        measures=_MEASURES,
        metrics=metrics,
        # Figures by group of people stand there where the settings ask for them.
        groups=_groups(metrics or {}),
    )


def _groups(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the groups' table: column, group, people, and their figures."""
    columns = metrics.get("groups", {}).get("columns", {})
    return [
        {"column": _cell(name), "name": _cell(each["group"])} | each
        for name, found in columns.items()
        for each in found["groups"]
    ]


def _cell(text: str) -> str:
    r"""Return text as a cell of a Markdown table holds it.

    >>> _cell("a|b")
    'a\\|b'
    """
    return " ".join(text.split()).replace("|", "\\|")


def _figure(entry: dict[str, Any], digits: int = 3) -> str:
    """Return a figure with its interval as text; undefined as a dash."""
    if entry["value"] is None:
        return "–"
    ends = [entry["low"], entry["high"]]
    interval = "" if None in ends else f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})"
    return f"{entry['value']:.{digits}f}{interval}"
