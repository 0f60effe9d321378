"""A trained network, or the mean of an experiment's, as ONNX: `aacsfnet export --to onnx`.

`model.onnx` takes the network's pictures as they are, of any number, and scales, scores, clips and
averages inside. `preprocessing.json` beside it tells how a face becomes such a picture, and what
the outputs mean.
"""

import json
import logging
import warnings
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aacsfnet.errors import ModelFileError, SettingsError, WorkError
from aacsfnet.evaluation.conformal import Intervals
from aacsfnet.files import replacing
from aacsfnet.inference.predictor import Predictor
from aacsfnet.models.pictures import to_float

log = logging.getLogger(__name__)

#: Most that a score may differ from torch's, in units of the label.
TOLERANCE = 1e-4
_OPSET = 18
_INPUT = "pictures"


class Scores(nn.Module):
    """What a predictor says of its networks' pictures, as one module without Python between.

    Args:
        predictor: its networks and intervals.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.models = nn.ModuleList(predictor.models)
        known = [each.familiarity for each in predictor.members if each.familiarity is not None]
        # A mean over some of the networks alone would be another quantity.
        self.familiarities = nn.ModuleList(known if len(known) == len(self.models) else [])
        self.low, self.high = predictor.label.low, predictor.label.high
        self.intervals = predictor.reliability.intervals if predictor.reliability else None

    @property
    def outputs(self) -> list[str]:
        """Names of what `forward` returns, in order."""
        ends = ["low", "high"] if self.intervals else []
        return ["score", *ends, *(["distance"] if len(self.familiarities) else [])]

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs `(B,)` of pictures `(B, S, S, 3)` uint8 RGB."""
        scaled = to_float(pictures)
        features = [model.features(scaled) for model in self.models]  # type: ignore[operator]
        scores = [
            model.score(model.head(each)).clamp(self.low, self.high)  # type: ignore[operator]
            for model, each in zip(self.models, features, strict=True)
        ]
        score = torch.stack(scores).mean(dim=0)
        found = [score]
        if self.intervals:
            found += _ends(self.intervals, score)
        if len(self.familiarities):
            distances = [far(each) for far, each in zip(self.familiarities, features, strict=True)]
            found.append(torch.stack(distances).mean(dim=0))
        return tuple(found)


def _ends(intervals: Intervals, score: Tensor) -> list[Tensor]:
    """Return the ends of the intervals of scores `(B,)`, as `Intervals.bounds` does."""
    low, high, quantile = intervals.low, intervals.high, intervals.quantile
    if quantile is None:
        return [torch.full_like(score, low), torch.full_like(score, high)]
    ends = []
    for way, (at, slope) in ((-1.0, intervals.below), (1.0, intervals.above)):
        line = (at + slope * (score - low)).clamp_min(intervals.least)
        ends.append((score + way * quantile * line).clamp(low, high))
    return ends


def export_onnx(model: Path, folder: Path) -> list[str]:
    """Write `model.onnx` and `preprocessing.json`; return what to tell of it, line by line.

    Args:
        model: the folder of one trained network, or of an experiment.
        folder: to write into.

    Raises:
        ModelFileError: the folder holds no usable model, or one that is tied to a batch size or
            sees pictures in context.
        SettingsError: the packages for ONNX are not installed.
        WorkError: the exported model answers other than torch.
    """
    predictor = Predictor(model)
    for each in predictor.models:
        if each.fixed_batch is not None:
            raise ModelFileError(
                f"{model}: the network {each.name!r} takes batches of {each.fixed_batch} only, and"
                " its scores depend on who shares one; export a network of another kind"
            )
        if each.context_fusion is not None:
            raise ModelFileError(
                f"{model}: its network sees pictures in context ({each.context_fusion.kind}), and"
                " the exported one takes single pictures; export one of network.context: none"
            )
    module = Scores(predictor).eval()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    with replacing(path) as temporary:
        _write(module, predictor.size, temporary)
        difference = _difference(module, predictor.size, temporary)
        if difference is not None and not difference < TOLERANCE:
            raise WorkError(
                f"the exported model differs from torch by {difference:.2g} in units of the label,"
                f" expected less than {TOLERANCE:g}; nothing was written"
            )
    with replacing(folder / "preprocessing.json") as temporary:
        told = json.dumps(_preprocessing(predictor, module.outputs), indent=1)
        temporary.write_text(told + "\n", encoding="utf-8")
    checked = (
        "not checked against torch, since onnxruntime is not installed"
        if difference is None
        else f"differs from torch by at most {difference:.1g} {predictor.label.name}"
    )
    count = len(predictor.models)
    return [f"{path}: {count} network{'s' * (count > 1)}, {checked}"]


def _write(module: Scores, size: int, path: Path) -> None:
    try:
        import onnxscript  # noqa: F401 the exporter is built on it
    except ImportError:
        raise SettingsError(
            "export --to onnx needs the packages onnx and onnxscript: pip install 'aacsfnet[onnx]'"
        ) from None
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own parts
        torch.onnx.export(
            module,
            (example,),
            path,
            input_names=[_INPUT],
            output_names=module.outputs,
            dynamic_shapes={_INPUT: {0: torch.export.Dim("batch", min=1)}},
            opset_version=_OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _difference(module: Scores, size: int, path: Path) -> float | None:
    """Return the largest difference of any output from torch's; None without onnxruntime."""
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    largest = 0.0
    for count in (1, 2, 5):
        pictures = random.integers(0, 256, (count, size, size, 3), np.uint8)
        with torch.inference_mode():
            expected = module(torch.from_numpy(pictures))
        for found, each in zip(session.run(None, {_INPUT: pictures}), expected, strict=True):
            largest = max(largest, float(np.abs(found - each.numpy()).max()))
    return largest


def _preprocessing(predictor: Predictor, outputs: list[str]) -> dict[str, Any]:
    """Return what `preprocessing.json` says."""
    known = predictor.reliability
    meanings = {
        "score": "units of the label, clipped to its range, mean over the networks",
        "low": "lower end of the prediction interval",
        "high": "upper end of the prediction interval",
        "distance": "of the features from those of training, about 1 for a training picture",
    }
    return {
        "input": {
            "name": _INPUT,
            "shape": ["batch", predictor.size, predictor.size, 3],
            "type": "uint8",
            "channels": "RGB",
        },
        "outputs": {name: meanings[name] for name in outputs},
        "steps": [
            "find, level and cut out the face as aacsfnet.faces does with `crop` and `landmarks`",
            f"keep the middle {predictor.kept:g} of the crop's side, round(side * (1 - kept) / 2)"
            " pixels off each side",
            f"resize it to {predictor.size} pixels: cv2.INTER_AREA if it is larger, else"
            " cv2.INTER_LINEAR",
            "give the pixels as they are, 0-255: scaling and standardisation are inside",
        ],
        "kept": predictor.kept,
        "crop": predictor.crop.model_dump(mode="json"),
        "landmarks": predictor.landmarks.model_dump(mode="json"),
        "label": asdict(predictor.label),
        "intervals": known.intervals.stored() if known else None,
        "abstention": known.bounds.stored() if known else None,
        "versions": {name: version(name) for name in ("torch", "onnx", "onnxscript")},
    }
