"""A second observer of faces: what changed between two pictures, by a network that knows no mesh.

The gate sees generated pictures through MediaPipe's mesh, so the mesh cannot be the judge of
whether the gate is right. This small network is trained from nothing on pairs of rendered faces,
whose true changes are known, of people that neither the demo, the miniature's training nor the
benchmarks show. It looks at both pictures at once: a lid moves by a pixel or two, which one picture
alone does not tell from another person's lid.
"""

import json
import logging
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from aacsfnet.config import Crop
from aacsfnet.faces.alignment import crop_matrix, placement_of
from aacsfnet.faces.geometry import measure_all
from aacsfnet.faces.sampling import sample
from aacsfnet.facs import HIGHEST, PSPI_UNITS
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import render
from aacsfnet.seeds import seed_of
from aacsfnet.tables import PAIN_MEASURES
from tools.miniature.data import FRAME_SIZE, circumstances, expression_of

log = logging.getLogger(__name__)

#: What AU43, AU4 and AU10 move.
MEASURES = ("lid_opening", "brow_height", "upper_lip_raise")
PAIRS = 5000
_NAMESPACE = "observer"
_PAIRS_EACH = 2
_VERSION = 3  # of network and pairs
#: Parts of the crop that are looked at, as shares of its side: rows, columns, and their size in
#: pixels, height and width. The eyes are looked at enlarged.
_FACE = ((0.22, 0.86), (0.18, 0.82)), (80, 80)
_EYES = ((0.25, 0.53), (0.18, 0.82)), (64, 144)
_EDGE = 3  # pixels by which both are shifted in training


def _units(random: np.random.Generator) -> dict[str, float]:
    """Return units of PSPI each by chance alone, often one alone.

    Where units only come together, the observer would tell one by the others.
    """
    share = random.choice((0.15, 0.5))
    return {
        unit: float(random.uniform(0, HIGHEST[unit]))
        for unit in PSPI_UNITS
        if random.random() < share
    }


def _expressions(number: int, random: np.random.Generator) -> tuple[dict, dict]:
    """Return what both pictures of a pair show: from rest, or from one expression to another."""
    if number % 2 == 0:
        return {}, _units(random)
    return expression_of(random), expression_of(random) | _units(random)


def _pair(
    person: Person,
    shown: tuple[dict, dict],
    around: tuple,
    random: np.random.Generator | None = None,
) -> tuple[list[np.ndarray], dict[str, float]]:
    """Return two crops `(128, 128, 3)` of a person in one pose and light, and what changes.

    Both are placed by the first; `random` places them as inexactly as the workflow does.
    """
    settings = Crop()
    made = [render(person, units, *around, size=FRAME_SIZE) for units in shown]
    placement = placement_of(made[0].landmarks_px.astype(float))
    if random is not None:
        placement[:2] += random.normal(0, 0.02, 2) * placement[2]
        placement[2] *= np.exp(random.normal(0, 0.03))
    matrix = crop_matrix(placement, settings.size, settings.margin)
    before, after = (measure_all(each.landmarks_px.astype(float)) for each in made)
    crops = [sample(each.picture, matrix, settings.size) for each in made]
    return crops, {name: float(after[name] - before[name]) for name in after}


def rendered(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of crops `(n, 2, 128, 128, 3)`, and true changes of measures `(n, 3)`.

    A pair shows one person in one pose and light, placed about as the workflow does.
    """
    pairs, changes = [], []
    for number in range(count):
        random = np.random.default_rng(seed_of(_NAMESPACE, "face", number))
        person = Person.from_seed(seed_of(_NAMESPACE, number // _PAIRS_EACH))
        around = circumstances(random)
        crops, changed = _pair(person, _expressions(number, random), around, random)
        pairs.append(crops)
        changes.append([changed[name] for name in MEASURES])
    return np.array(pairs), np.array(changes)


class _Network(nn.Module):
    """Two stacks of convolutions, over the face and over the eyes of a pair, and one way out."""

    def __init__(self) -> None:
        super().__init__()
        self.face, self.eyes = _stack(), _stack()
        features = sum(96 * (height // 16) * (width // 16) for _, (height, width) in (_FACE, _EYES))
        self.out = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(features, 64), nn.ReLU(), nn.Linear(64, len(MEASURES))
        )

    def forward(self, face: torch.Tensor, eyes: torch.Tensor) -> torch.Tensor:
        """Return scaled changes `(n, 3)` of views `(n, 2, height, width)`."""
        return self.out(torch.cat([self.face(face), self.eyes(eyes)], dim=1))


def _stack() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 2
    for width in (24, 48, 64, 96):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        ]  # fmt: skip
        channels = width
    return nn.Sequential(*layers, nn.Flatten())


def _views(
    pairs: np.ndarray, random: np.random.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the parts that are looked at, evened out in brightness and contrast.

    Args:
        pairs: `(n, 2, side, side, 3)` RGB.
        random: for shifts and blur in training.

    Returns:
        face and eyes, `(n, 2, height, width)` each.
    """
    looked = [np.empty((len(pairs), 2, *size), np.float32) for _, size in (_FACE, _EYES)]
    for at, pair in enumerate(pairs):
        down, across = random.integers(-_EDGE, _EDGE + 1, 2) if random is not None else (0, 0)
        for which, crop in enumerate(pair):
            grey = cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY).astype(np.float32)
            if random is not None and random.random() < 0.5:  # generated ones are a little soft
                grey = cv2.GaussianBlur(grey, (0, 0), float(random.uniform(0.3, 1.0)))
            for views, (edges, size) in zip(looked, (_FACE, _EYES), strict=True):
                (top, bottom), (left, right) = (
                    [round(share * len(crop)) for share in edge] for edge in edges
                )
                part = grey[top + down : bottom + down, left + across : right + across]
                part = cv2.resize(part, size[::-1])
                views[at, which] = (part - part.mean()) / max(float(part.std()), 1.0)
    face, eyes = (
        torch.from_numpy(views).contiguous(memory_format=torch.channels_last) for views in looked
    )
    return face, eyes


class Observer:
    """Reads changes between crops of 128 pixels."""

    def __init__(self, network: _Network, deviation: np.ndarray) -> None:
        self._network, self._deviation = network.eval(), deviation

    def changes(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Return changes of `MEASURES` between crops `(n, 128, 128, 3)` RGB, `(n, 3)`.

        In interocular distances; the mean over mirrored views, and over both directions.
        """
        pairs = np.stack([before, after], axis=1)
        seen = [
            sign * self._read(pairs[:, order, :, ::mirror])
            for order, sign in (([0, 1], 1), ([1, 0], -1))
            for mirror in (1, -1)
        ]
        return np.mean(seen, axis=0) * self._deviation

    @torch.inference_mode()
    def _read(self, pairs: np.ndarray) -> np.ndarray:
        parts = [
            self._network(*_views(pairs[at : at + 64])).numpy() for at in range(0, len(pairs), 64)
        ]
        return np.concatenate(parts)


def train(count: int, epochs: int = 14) -> Observer:
    """Return an observer trained on that many pairs of rendered faces."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    start = time.monotonic()
    pairs, changes = rendered(count)
    log.info("%d pairs rendered in %.0f s", count, time.monotonic() - start)
    deviation = changes.std(axis=0)
    wanted = torch.from_numpy(changes / deviation).float()
    network = _Network().train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    batch = 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, epochs * (count // batch))
    for epoch in range(epochs):
        order, losses = random.permutation(count), []
        for at in range(0, count - batch + 1, batch):
            chosen = order[at : at + batch]
            swapped = random.random() < 0.5
            seen = pairs[chosen][:, ::-1] if swapped else pairs[chosen]
            loss = nn.functional.smooth_l1_loss(
                network(*_views(seen, random)), -wanted[chosen] if swapped else wanted[chosen]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        log.info("epoch %d: %.4f, %.0f s", epoch, np.mean(losses), time.monotonic() - start)
    return Observer(network, deviation)


def like_pairs(count: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return two crops of one unseen person in one pose and light, and what changes between them.

    The expressions differ a little, as a generated picture's from its source's.

    Returns:
        crops `(n, 128, 128, 3)` twice, and by measure of pain the true change `(n,)`.
    """
    first, second, changes = [], [], []
    for number in range(count):
        random = np.random.default_rng(seed_of(_NAMESPACE, "pair", number))
        person = Person.from_seed(seed_of(_NAMESPACE, "person", number))
        units, around = expression_of(random), circumstances(random)
        other = units | {
            unit: float(np.clip(units.get(unit, 0) + random.normal(0, 0.25) * most, 0, most))
            for unit, most in HIGHEST.items()
            if unit in ("au4", "au6", "au7", "au9", "au10", "au12", "au25", "au43")
        }
        (before, after), changed = _pair(person, (units, other), around)
        first.append(before)
        second.append(after)
        changes.append([changed[name] for name in PAIN_MEASURES])
    columns = dict(zip(PAIN_MEASURES, np.array(changes).T, strict=True))
    return np.stack(first), np.stack(second), columns


def accuracy(true: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Return how well changes `(n,)` are found: all of them, and the error where they are small."""
    small = np.abs(true) < 0.08
    return {
        "correlation": float(np.corrcoef(true, found)[0, 1]),
        "rms_error": float(np.sqrt(((found - true) ** 2).mean())),
        "rms_error_of_small_changes": float(np.sqrt(((found - true)[small] ** 2).mean())),
        "rms_change": float(np.sqrt((true**2).mean())),
    }


def load_or_train(path: Path, count: int = PAIRS) -> Observer:
    """Return the observer stored at a path; train and store it where there is none.

    One that learnt measures defined otherwise, or from other pairs, is trained anew.
    """
    mesh = np.random.default_rng(0).normal(size=(478, 3))
    values = [round(float(measure_all(mesh)[name]), 6) for name in MEASURES]
    defined = json.dumps({"measures": values, "pairs": count, "version": _VERSION})
    if not path.is_file() or safe_open(path, "pt").metadata().get("defined") != defined:
        observer = train(count)
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = json.dumps(observer._deviation.tolist())
        weights = {name: each.contiguous() for name, each in observer._network.state_dict().items()}
        save_file(weights, path, {"scale": scale, "defined": defined})
    network = _Network()
    with safe_open(path, "pt") as stored:
        network.load_state_dict({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
        deviation = json.loads(stored.metadata()["scale"])
    return Observer(network, np.array(deviation))
