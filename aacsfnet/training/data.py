"""Batches out of the merged array: no decoding, no copies held, the same order on every run."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from aacsfnet.errors import DataError
from aacsfnet.models.context import Context
from aacsfnet.models.pictures import to_float
from aacsfnet.seeds import seed_of
from aacsfnet.training.context import ContextRows


class Batch(TypedDict):
    """What a training or evaluation step gets."""

    pictures: Tensor  # (B, S, S, 3) uint8 RGB
    labels: Tensor  # (B,) float32, units of the label
    rows: Tensor  # (B,) int64, places in the array
    weights: NotRequired[Tensor]  # (B,) float32, share in the loss
    measures: NotRequired[Tensor]  # (B, measures) float32, standardised, NaN where unknown
    context: NotRequired[Tensor]  # (B * P, S, S, 3) uint8 RGB, P beside each picture
    known: NotRequired[Tensor]  # (B, P) bool, which of those count


def open_images(path: Path) -> np.ndarray:
    """Return the array of pictures `(N, S, S, 3)` uint8, mapped and not read.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        # The empty array cannot be mapped; numpy says so with a ValueError.
        images: np.ndarray = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be mapped ({error}); run merge again") from None
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise DataError(
            f"{path}: holds {images.dtype} {images.shape}, expected uint8 (N, S, S, 3);"
            " run merge again"
        )
    return images


def epoch_order(
    weights: np.ndarray, batch: int, seed: int, epoch: int, steps: int | None = None
) -> np.ndarray:
    """Return which pictures an epoch samples, `(steps, batch)`, as places in `weights`.

    With equal weights all pictures come once before any comes again, in another order. All batches
    have one size. Weights of 0 leave pictures out, and the others come more often. With other
    weights, pictures are drawn by weight, with repeats.

    Args:
        weights: `(N,)`, how often each picture should come, relative to the others; not all 0.
        batch: pictures a step.
        seed: of the training run.
        epoch: from 0; each has an order of its own that depends on nothing before it.
        steps: None: as many as show every picture once.
    """
    random = np.random.default_rng(seed_of(seed, "order", epoch))
    steps = steps or -(-len(weights) // batch)
    places = steps * batch
    shown = np.flatnonzero(weights)
    if np.ptp(weights[shown]) == 0:
        passes = [random.permutation(shown) for _ in range(-(-places // len(shown)))]
        drawn: np.ndarray = np.concatenate(passes)[:places]
    else:
        drawn = random.choice(len(weights), size=places, p=weights / weights.sum())
    return drawn.reshape(steps, batch)


class Batches:
    """The training batches of one epoch after another, from any step on.

    The order depends on the seed and the step alone, so a run that starts again at a step sees
    what it would have seen. The next batches are fetched by a thread meanwhile.
    """

    def __init__(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray,
        *,
        batch: int,
        seed: int,
        epoch_steps: int | None = None,
        draw_weights: Callable[[int], np.ndarray] | None = None,
        loss_weights: np.ndarray | None = None,
        measures: np.ndarray | None = None,
        context: ContextRows | None = None,
    ) -> None:
        """Take the mapped array, and for each training picture its row, label and weights.

        Args:
            images: `(N, S, S, 3)` uint8.
            rows: `(n,)` places of the training pictures in it.
            labels: `(n,)`.
            batch: pictures a step.
            seed: of the order.
            epoch_steps: steps of an epoch; None: as many as show every picture once.
            draw_weights: gives for an epoch how often each picture comes, `(n,)`; None: once each.
            loss_weights: `(n,)`, passed on with each picture; None: none.
            measures: `(n, measures)` float32, likewise.
            context: the pictures beside each; None: none.
        """
        self._images = images
        self._rows = rows
        self._labels = labels.astype(np.float32)
        self._draw = draw_weights or (lambda epoch: np.ones(len(rows)))
        self._loss = None if loss_weights is None else loss_weights.astype(np.float32)
        self._measures = measures
        self._context = context
        self._batch = batch
        self._seed = seed
        self._steps = epoch_steps or -(-len(rows) // batch)
        self._step = 0  # the next step to give

    def __len__(self) -> int:
        """Return the steps of an epoch."""
        return self._steps

    def state_dict(self) -> dict[str, int]:
        """Return where this run is, for a checkpoint."""
        return {"step": self._step}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume from a checkpoint."""
        self._step = state["step"]

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rest of the current epoch."""
        epoch, first = divmod(self._step, len(self))
        order = epoch_order(self._draw(epoch), self._batch, self._seed, epoch, len(self))
        with ThreadPoolExecutor(1) as thread:
            coming: list[Future[Batch]] = [
                thread.submit(self._fetch, members) for members in order[first : first + 2]
            ]
            for step in range(first, len(self)):
                batch = coming.pop(0).result()
                if step + 2 < len(self):
                    coming.append(thread.submit(self._fetch, order[step + 2]))
                self._step += 1
                yield batch

    def _fetch(self, members: np.ndarray) -> Batch:
        batch = gather(self._images, self._rows[members], self._labels[members])
        if self._loss is not None:
            batch["weights"] = torch.from_numpy(self._loss[members])
        if self._measures is not None:
            batch["measures"] = torch.from_numpy(self._measures[members])
        return add_context(batch, self._images, self._context, members)


class Pictures:
    """Pictures in order, for selection and test: every one once, the last batch as it falls."""

    def __init__(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray,
        batch: int,
        context: ContextRows | None = None,
    ) -> None:
        self._context = context
        self._images = images
        self._rows = rows
        self._labels = labels.astype(np.float32)
        self._batch = batch

    def __len__(self) -> int:
        """Return the number of batches."""
        return -(-len(self._rows) // self._batch)

    def __iter__(self) -> Iterator[Batch]:
        """Yield all batches."""
        for start in range(0, len(self._rows), self._batch):
            part = slice(start, start + self._batch)
            batch = gather(self._images, self._rows[part], self._labels[part])
            yield add_context(batch, self._images, self._context, part)


def gather(images: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> Batch:
    """Return one batch, copied out of the mapped array into memory that a GPU can fetch from."""
    return {
        "pictures": _copied(images, rows),
        "labels": torch.from_numpy(labels.copy()),
        "rows": torch.from_numpy(rows.astype(np.int64)),
    }


def add_context(
    batch: Batch, images: np.ndarray, context: ContextRows | None, members: np.ndarray | slice
) -> Batch:
    """Return a batch with the pictures beside its own, where there are such.

    Args:
        batch: of `gather`.
        images: the mapped array.
        context: of all pictures.
        members: which of those the batch's are.
    """
    if context is not None:
        batch["context"] = _copied(images, context.rows[members].ravel())
        batch["known"] = torch.from_numpy(context.known[members].copy())
    return batch


def context_in(batch: Batch) -> Context | None:
    """Return the pictures beside those of a batch as a network takes them."""
    if "context" not in batch:
        return None
    return Context(to_float(batch["context"]), batch["known"])


def _copied(images: np.ndarray, rows: np.ndarray) -> Tensor:
    pinned = torch.cuda.is_available()
    pictures = torch.empty((len(rows), *images.shape[1:]), dtype=torch.uint8, pin_memory=pinned)
    np.take(images, rows, axis=0, out=pictures.numpy(), mode="clip")
    return pictures


def pixel_statistics(images: np.ndarray, rows: np.ndarray, most: int = 2000) -> dict[str, Any]:
    """Return mean and standard deviation of each channel over pictures, `(3,)` each, in 0-1.

    At most `most` pictures are read, evenly spread over `rows`.
    """
    chosen = rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]
    total = np.zeros(3)
    squares = np.zeros(3)
    for row in chosen:
        pixels = images[row].reshape(-1, 3) / 255.0
        total += pixels.mean(axis=0)
        squares += np.square(pixels).mean(axis=0)
    mean = total / len(chosen)
    deviation = np.sqrt(np.maximum(squares / len(chosen) - np.square(mean), 1e-6))
    return {"mean": mean, "deviation": deviation}
