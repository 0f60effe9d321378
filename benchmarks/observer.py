"""A second observer of faces: measures read off the pixels by a network that never saw a mesh.

The gate sees generated pictures through MediaPipe's mesh, so the mesh cannot be the judge of
whether the gate is right. This small network is trained from nothing on rendered faces, whose true
measures are known, of people that neither the demo, the miniature's training nor the benchmarks
show.
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
from aacsfnet.facs import HIGHEST
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import render
from aacsfnet.seeds import seed_of
from aacsfnet.tables import PAIN_MEASURES
from tools.miniature.data import FRAME_SIZE, circumstances, expression_of

log = logging.getLogger(__name__)

#: What AU43, AU4 and AU10 move.
MEASURES = ("lid_opening", "brow_height", "upper_lip_raise")
_NAMESPACE = "observer"
_FACES_EACH = 4
#: Middle of the crop that is looked at, as shares of its side: rows, columns.
_WINDOW = ((0.22, 0.86), (0.18, 0.82))
_SIDE = 80


def rendered(count: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return crops `(n, 128, 128, 3)` placed about as the workflow does, and true measures."""
    crops, truths = [], []
    settings = Crop()
    for number in range(first, first + count):
        random = np.random.default_rng(seed_of(_NAMESPACE, "face", number))
        person = Person.from_seed(seed_of(_NAMESPACE, number // _FACES_EACH))
        made = render(person, expression_of(random), *circumstances(random), size=FRAME_SIZE)
        truth = made.landmarks_px.astype(float)
        placement = placement_of(truth)
        placement[:2] += random.normal(0, 0.02, 2) * placement[2]  # the workflow's are not exact
        placement[2] *= np.exp(random.normal(0, 0.03))
        crops.append(
            sample(
                made.picture, crop_matrix(placement, settings.size, settings.margin), settings.size
            )
        )
        measured = measure_all(truth)
        truths.append([float(measured[name]) for name in MEASURES])
    return np.stack(crops), np.array(truths)


def _network() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 1
    for width in (24, 48, 64, 96):
        layers += [
            nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        ]  # fmt: skip
        channels = width
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(96 * 25, 64), nn.ReLU(),
        nn.Linear(64, len(MEASURES)),
    )  # fmt: skip


def _window(
    crops: np.ndarray, shift: int = 0, random: np.random.Generator | None = None
) -> torch.Tensor:
    """Return what is looked at, `(n, 1, 80, 80)`, evened out in brightness and contrast."""
    side = crops.shape[1]
    (top, bottom), (left, right) = ([round(share * side) for share in edge] for edge in _WINDOW)
    views = []
    for crop in crops:
        down, across = random.integers(-shift, shift + 1, 2) if random is not None else (0, 0)
        part = crop[top + down : bottom + down, left + across : right + across]
        grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY).astype(np.float32)
        if random is not None and random.random() < 0.5:  # generated pictures are a little soft
            grey = cv2.GaussianBlur(grey, (0, 0), float(random.uniform(0.3, 1.0)))
        grey = cv2.resize(grey, (_SIDE, _SIDE))
        views.append((grey - grey.mean()) / max(float(grey.std()), 1.0))
    return torch.from_numpy(np.stack(views))[:, None]


class Observer:
    """Reads measures off crops of 128 pixels."""

    def __init__(self, network: nn.Module, mean: np.ndarray, deviation: np.ndarray) -> None:
        self._network, self._mean, self._deviation = network.eval(), mean, deviation

    def measures(self, crops: np.ndarray) -> np.ndarray:
        """Return `MEASURES` of crops `(n, 128, 128, 3)` RGB, `(n, 3)`, interocular distances.

        The mean over shifted and mirrored views, which is steadier than one.
        """
        shifts = [(down, across) for down in (-2, 0, 2) for across in (-2, 0, 2)]
        with torch.inference_mode():
            views = [
                self._network(_window(np.roll(seen, shift, axis=(1, 2)))).numpy()
                for seen in (crops, crops[:, :, ::-1])
                for shift in shifts
            ]
        return np.mean(views, axis=0) * self._deviation + self._mean


def train(faces: int, epochs: int = 14) -> Observer:
    """Return an observer trained on that many rendered faces."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    start = time.monotonic()
    crops, truths = rendered(faces, 0)
    log.info("%d faces rendered in %.0f s", faces, time.monotonic() - start)
    mean, deviation = truths.mean(axis=0), truths.std(axis=0)
    wanted = torch.from_numpy((truths - mean) / deviation).float()
    network = _network().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    batch = 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, epochs * (faces // batch))
    for epoch in range(epochs):
        order, losses = random.permutation(faces), []
        for at in range(0, faces - batch + 1, batch):
            chosen = order[at : at + batch]
            loss = nn.functional.smooth_l1_loss(
                network(_window(crops[chosen], 3, random)), wanted[chosen]
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        log.info("epoch %d: %.4f, %.0f s", epoch, np.mean(losses), time.monotonic() - start)
    return Observer(network, mean, deviation)


def like_pairs(count: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return two crops of one unseen person in one pose and light, and what changes between them.

    The expressions differ a little, as a generated picture's from its source's.

    Returns:
        crops `(n, 128, 128, 3)` twice, and by measure of pain the true change `(n,)`.
    """
    settings = Crop()
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
        made = [render(person, each, *around, size=FRAME_SIZE) for each in (units, other)]
        truths = [measure_all(each.landmarks_px.astype(float)) for each in made]
        placement = placement_of(made[0].landmarks_px.astype(float))
        matrix = crop_matrix(placement, settings.size, settings.margin)
        for crops, each in zip((first, second), made, strict=True):
            crops.append(sample(each.picture, matrix, settings.size))
        changes.append([float(truths[1][name] - truths[0][name]) for name in PAIN_MEASURES])
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


def load_or_train(path: Path, faces: int) -> Observer:
    """Return the observer stored at a path; train and store it where there is none.

    One that learnt measures defined otherwise than they now are is trained anew.
    """
    mesh = np.random.default_rng(0).normal(size=(478, 3))
    defined = json.dumps([round(float(measure_all(mesh)[name]), 6) for name in MEASURES])
    if not path.is_file() or safe_open(path, "pt").metadata().get("defined") != defined:
        observer = train(faces)
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = json.dumps([observer._mean.tolist(), observer._deviation.tolist()])
        save_file(observer._network.state_dict(), path, {"scale": scale, "defined": defined})
    network = _network()
    with safe_open(path, "pt") as stored:
        network.load_state_dict({name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
        mean, deviation = json.loads(stored.metadata()["scale"])
    return Observer(network, np.array(mean), np.array(deviation))
