"""Training for so many minutes."""

import itertools

import pytest
import torch
from torch import nn

from tools import by_time


@pytest.fixture
def clock(monkeypatch):
    """Half a second of processor time between two looks at the clock."""
    monkeypatch.setattr(by_time.time, "process_time", itertools.count(0, 0.5).__next__)


def test_steps_until_the_time_is_used_up(clock, capsys):
    model = nn.Linear(1, 1)
    model.weight.data.fill_(0.0)
    taken = 0
    for update in by_time.steps(model, minutes=1.0, rate=0.05, every=40, told=lambda: "so far"):
        update((model(torch.ones(8, 1)) - 1).square().mean())
        taken += 1
    assert taken == 120
    assert model(torch.ones(1, 1)).item() == pytest.approx(1.0, abs=0.1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "20 s, step 40: so far"
    assert lines[-1] == "end, step 120: so far"


def test_each_step_goes_by_its_own_loss(clock):
    model = nn.Linear(1, 1, bias=False)
    for step, update in enumerate(by_time.steps(model, minutes=1.0, rate=0.05)):
        update(model.weight.sum() * (-1) ** step)
        assert model.weight.grad.item() == pytest.approx((-1) ** step, abs=1e-3)


def test_the_rate_has_fallen_to_nothing_at_the_end(clock):
    model = nn.Linear(1, 1, bias=False)
    moves = []
    for update in by_time.steps(model, minutes=1.0, rate=0.05):
        before = model.weight.item()
        update(model.weight.sum())
        moves.append(abs(model.weight.item() - before))
    assert max(moves[30:60]) > 10 * moves[-1]
