"""The numpy network against torch, an independent implementation."""

import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional

from aacsfnet.faces.small_network import SmallNetwork, convolved


def test_convolutions_are_torchs():
    random = np.random.default_rng(0)
    for side, step, shape in ((3, 1, (2, 7, 9, 2)), (5, 2, (1, 16, 16, 3)), (3, 2, (3, 9, 6, 4))):
        values = random.normal(size=shape).astype(np.float32)
        weight = random.normal(size=(side, side, shape[3], 5)).astype(np.float32)
        expected = functional.conv2d(
            torch.from_numpy(values).permute(0, 3, 1, 2),
            torch.from_numpy(weight).permute(3, 2, 0, 1),
            stride=step,
            padding=side // 2,
        ).permute(0, 2, 3, 1)
        np.testing.assert_allclose(convolved(values, weight, step), expected, atol=1e-5)


def test_layers_follow_each_other(tmp_path):
    random = np.random.default_rng(1)
    layers = {
        "0.weight": random.normal(size=(3, 3, 1, 2)),
        "0.bias": random.normal(size=2),
        "0.halves": np.ones(1),
        "1.weight": random.normal(size=(2 * 2 * 2, 3)),
        "1.bias": random.normal(size=3),
    }
    save_file({name: each.astype(np.float32) for name, each in layers.items()}, tmp_path / "w")
    values = random.normal(size=(2, 4, 4, 1)).astype(np.float32)
    hidden = np.maximum(convolved(values, layers["0.weight"].astype(np.float32), 2) + layers[
        "0.bias"], 0)  # fmt: skip
    expected = hidden.reshape(2, -1) @ layers["1.weight"] + layers["1.bias"]
    np.testing.assert_allclose(SmallNetwork(tmp_path / "w")(values), expected, rtol=1e-4)
