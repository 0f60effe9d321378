"""Training for so many minutes: the loop that the packaged weights' tools share."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor, nn

from aacsfnet.training.optimiser import optimiser_of


def steps(
    model: nn.Module,
    minutes: float,
    rate: float,
    every: int = 100,
    told: Callable[[], str] | None = None,
) -> Iterator[Callable[[Tensor], None]]:
    """Yield, until the time is used up, a function that does one step of the optimiser.

    The learning rate goes by time as well: it warms up, then falls as half a cosine to the end.

    Args:
        model: to train; its mode and memory format stay as they are.
        minutes: of processor time.
        rate: highest learning rate.
        every: after so many steps a line says how far it is.
        told: what the line says; None: the mean loss since the last one.

    Yields:
        A function that takes the loss of a batch.
    """
    optimiser, schedule = optimiser_of(model, rate, 0.02, 1000, 50)
    losses: list[float] = []
    started, spent, step = time.process_time(), 0.0, 0

    def update(loss: Tensor) -> None:
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())

    while spent < minutes * 60:
        yield update
        spent, step = time.process_time() - started, step + 1
        schedule.last_epoch = min(999, round(1000 * spent / (minutes * 60))) - 1
        schedule.step()
        if step % every == 0:
            said = told() if told else f"{np.mean(losses[-every:]):.4f}"
            print(f"{spent:.0f} s, step {step}: {said}", flush=True)
    print(f"end, step {step}{f': {told()}' if told else ''}", flush=True)
