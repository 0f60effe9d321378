"""The published training loop, written out as it is in the original, to measure against.

Its loader decodes, resizes, flips and normalises one picture at a time in the training process;
fp32; batch 32; Adam; the loss is read after each step.
"""

import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from aacsfnet.models import Network

#: The published loop's pictures are of this size before it resizes them.
PUBLISHED_SIZE = 112


class PublishedData(Dataset):
    """The original's data set: arrays in memory, one picture at a time through PIL."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, size: int) -> None:
        self.images, self.labels = images, labels
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(
                    mean=[0.48766823, 0.34021825, 0.30166676],
                    std=[0.15309834, 0.13826898, 0.12866308],
                ),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index].astype("uint8"), "RGB")
        return self.transform(image), int(self.labels[index])


def published(model: Network, size: int, steps: int, device: torch.device) -> dict[str, float]:
    """Return pictures a second of the published loop, and the share of time its loader takes."""
    count = 32 * (steps + 3)
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, PUBLISHED_SIZE, PUBLISHED_SIZE, 3), np.uint8)
    data = PublishedData(images, random.integers(0, 5, count), size)
    loader = DataLoader(
        data, batch_size=32, shuffle=True, drop_last=True, pin_memory=device.type == "cuda"
    )
    model.to(device).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=5e-4)
    criterion = nn.MSELoss()
    waiting, started, processor, batches = 0.0, 0.0, 0.0, iter(loader)
    for step in range(steps + 3):
        if step == 3:  # the first steps set up memory and kernels
            waiting, started = 0.0, time.perf_counter()
            processor = time.process_time()
        asked = time.perf_counter()
        pictures, labels = next(batches)
        waiting += time.perf_counter() - asked
        pictures = pictures.type(torch.FloatTensor).to(device, non_blocking=True)
        labels = labels.type(torch.FloatTensor).to(device, non_blocking=True)
        loss = criterion(model(pictures).squeeze(-1), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()
    seconds = time.perf_counter() - started
    return {
        "pictures_a_second": 32 * steps / seconds,
        # On a machine that others use too, this is the fairer figure.
        "pictures_a_processor_second": 32 * steps / (time.process_time() - processor),
        "waiting_share": waiting / seconds,
    }
