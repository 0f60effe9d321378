"""A small untrained network in a folder, as training writes one, and a photograph."""

import numpy as np
import pytest
import torch

import aacsfnet
from aacsfnet.models import save_model

LABEL = {"name": "pspi", "low": 0.0, "high": 16.0, "meaning": "observed expression"}


def save(folder, *, seed=0, label=LABEL, context="none", spacing_s=None, **faces):
    """Write a network; `context` is what it sees beside a picture, `spacing_s` apart.

    `crop` and `landmarks` are the settings by which its faces were found.
    """
    torch.manual_seed(seed)
    model = aacsfnet.create_model(
        backbone="test_resnet",
        image_size=64,
        feature_stride=16,
        width=32,
        depth=1,
        heads=2,
        context=context,
    )
    if model.context_fusion is not None:  # as if it had learned something
        torch.nn.init.normal_(model.context_fusion.change.weight, std=0.3)
    model.label_deviation.fill_(50.0)  # so that some scores leave the range
    about = {"label": label, "kept": 1.0, "faces": {"crop": {}, "landmarks": {}} | faces}
    save_model(model, folder, about | {"spacing_s": spacing_s})
    return folder


@pytest.fixture(name="folder")
def _folder(tmp_path):
    return save(tmp_path / "model")


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """`(300, 400, 3)` uint8 with one face."""
    data = pytest.importorskip("skimage.data", reason="scikit-image carries the photograph")
    return data.astronaut()[:300, :400].copy()
