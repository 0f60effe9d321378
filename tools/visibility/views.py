"""What the network sees while it learns: views changed as cameras differ, and what is no face."""

from functools import cache

import cv2
import numpy as np
import torch
from torch.nn import functional

from aacsfnet.faces.alignment import crop_matrix, placement_of
from aacsfnet.faces.sampling import invert, transform
from aacsfnet.faces.visibility import MARGIN, SIDE
from aacsfnet.landmark_sets import MOUTH_CORNERS
from aacsfnet.rendering.materials import colour, fabric
from aacsfnet.rendering.mesh import canonical
from tools.visibility.faces import KEPT


def nothing(random: np.random.Generator) -> np.ndarray:
    """Return a fabric, or shapes where eyes, nose and mouth would be, that are no face's."""
    shape = (KEPT, KEPT)
    picture = fabric(shape, random, KEPT * random.uniform(0.3, 2))
    if random.random() < 0.7:
        apart = random.uniform(0.3, 0.7)
        places = [(-apart, 0.0), (apart, 0.0), (0.0, 0.55), (0.0, 1.0), (0.0, 0.3)]
        wide, tall = random.uniform(0.05, 0.45, 2)
        ink, other = colour(random).tolist(), colour(random).tolist()
        if random.random() < 0.5:
            picture = np.zeros((*shape, 3), np.float32) + colour(random)
        for across, down in places[: int(random.integers(2, 6))]:
            middle = (int(KEPT * (0.5 + 0.33 * across)), int(KEPT * (0.4 + 0.33 * down)))
            wide, tall = (wide, tall) if down == 0 else random.uniform(0.03, 0.4, 2)
            turn = float(random.uniform(0, 180))
            for rim, paint in ((1.0, ink), (random.uniform(0.2, 0.8), other)):
                axes = tuple(max(1, int(KEPT * 0.33 * rim * each)) for each in (wide, tall))
                cv2.ellipse(picture, middle, axes, turn, 0, 360, paint, -1, cv2.LINE_AA)
    for _ in range(int(random.integers(0, 4))):  # strokes, as of letters
        ends = random.integers(0, KEPT, (2, 2)).tolist()
        thick = int(random.integers(1, 12))
        cv2.line(picture, *ends, colour(random).tolist(), thick, cv2.LINE_AA)
    if random.random() < 0.3:
        text = "".join(chr(random.integers(33, 91)) for _ in range(3))
        font, size = int(random.integers(0, 8)), float(random.uniform(0.8, 3))
        place = (int(random.integers(-10, 30)), int(random.integers(30, KEPT)))
        cv2.putText(picture, text, place, font, size, colour(random).tolist(), 5, cv2.LINE_AA)
        picture = np.rot90(picture, int(random.integers(4)))
    return np.clip(picture, 0, 255).astype(np.uint8)


@cache
def _mouth_corners() -> np.ndarray:
    """Return where the mean face's mouth has its corners in a view, `(2, 2)`."""
    face = canonical()[0].astype(np.float64) * (1, -1, -1)
    placement = placement_of(face)
    placement[2] *= KEPT / SIDE
    to_view = invert(crop_matrix(placement, KEPT, MARGIN))
    return transform(to_view, face[list(MOUTH_CORNERS), :2])


def smiling(view: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a view with a mouth that shows its teeth painted where every view has its mouth."""
    scale, painted = 4, cv2.resize(view, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    right, left = _mouth_corners()
    middle = (right + left) / 2 + random.normal(0, 0.8, 2)
    half = float(np.linalg.norm(left - right)) * random.uniform(0.6, 0.95)
    raised, open_ = half * random.uniform(0.0, 0.35), half * random.uniform(0.15, 0.6)
    x = np.linspace(-1, 1, 25)
    upper = np.stack([half * x, -raised * x**2 - 0.2 * open_ * (1 - x**2)], axis=1)
    lower = np.stack([half * x, -raised * x**2 + open_ * (1 - x**4)], axis=1)
    outline = ((np.concatenate([upper, lower[::-1]]) + middle) * scale * 16).astype(np.int32)
    around = view[int(middle[1]) - 12 : int(middle[1]) - 6, 26:50].reshape(-1, 3).mean(axis=0)
    teeth = np.array([238.0, 230, 216]) * random.uniform(0.7, 1.0)
    lips = around * random.uniform((0.65, 0.4, 0.4), (0.95, 0.75, 0.75))
    cv2.fillPoly(painted, [outline], teeth.tolist(), cv2.LINE_AA, 4)
    for place in np.linspace(-0.8, 0.8, int(random.integers(6, 11))):
        at = (np.array([[half * place, -0.3 * open_], [half * place, open_]]) + middle) * scale
        cv2.line(painted, *at.astype(int).tolist(), (teeth * 0.82).tolist(), 1, cv2.LINE_AA)
    thick = int(random.integers(5, 13))
    cv2.polylines(painted, [outline], True, lips.tolist(), thick, cv2.LINE_AA, 4)
    return cv2.resize(painted, (KEPT, KEPT), interpolation=cv2.INTER_AREA)


def varied(views: np.ndarray, random: np.random.Generator) -> torch.Tensor:
    """Return what the network sees `(n, 3, 64, 64)` of `(n, 76, 76, 3)`, as cameras differ.

    Moved and turned a little, since landmarks are never exact; colours, light, sharpness and noise
    changed a lot, now and then by a filter drawn at random, since photographs are no renderings.
    """
    pixels = torch.from_numpy(views).permute(0, 3, 1, 2).float() / 255
    count = len(pixels)
    angle, growth, right, down = (
        torch.from_numpy(random.normal(0, spread, count)).float()
        for spread in (0.05, 0.05, 0.03, 0.03)
    )
    scale = SIDE / KEPT * (1 + growth)
    rows = [
        torch.stack([scale * angle.cos(), -scale * angle.sin(), right], 1),
        torch.stack([scale * angle.sin(), scale * angle.cos(), down], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 3, SIDE, SIDE], False)
    pixels = functional.grid_sample(pixels, grid, padding_mode="border", align_corners=False)

    small = random.random(count) < 0.35  # a face of few pixels
    if small.any():
        some = torch.from_numpy(small)
        fewer = int(random.integers(18, 56))
        coarse = functional.interpolate(pixels[some], fewer, mode="area")
        pixels[some] = functional.interpolate(coarse, SIDE, mode="bilinear", align_corners=False)

    def each(draw: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(draw, np.float32)).reshape(count, -1, 1, 1)

    gamma = each(np.exp(random.normal(0, 0.3, (count, 1)) + random.normal(0, 0.08, (count, 3))))
    pixels = pixels.clamp(1e-3, 1) ** gamma
    # Light from a side.
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    slope = (
        each(random.normal(0, 0.2, (count, 1))) * x + each(random.normal(0, 0.15, (count, 1))) * y
    )
    pixels = pixels * (1 + slope).clamp(0.2, 2) * each(1 + random.normal(0, 0.08, (count, 3)))
    grey = each(random.random((count, 1)) ** 3)
    pixels = pixels + grey * (pixels.mean(1, keepdim=True) - pixels)
    # Softer or sharper, by one filter a batch and only for some.
    kernel = cv2.getGaussianKernel(7, float(random.uniform(0.4, 1.6))).astype(np.float32)
    plane = torch.from_numpy(kernel @ kernel.T)[None, None].repeat(3, 1, 1, 1)
    soft = functional.conv2d(functional.pad(pixels, (3, 3, 3, 3), "replicate"), plane, groups=3)
    amount = each(np.where(random.random((count, 1)) < 0.6, random.uniform(-1.2, 1, (count, 1)), 0))
    pixels = pixels + amount * (soft - pixels)
    odd = torch.from_numpy(random.random(count) < 0.25)
    if odd.any():
        filters = torch.eye(3)[:, :, None, None] * torch.tensor([0.0, 0, 0, 0, 1, 0, 0, 0, 0]).view(
            1, 1, 3, 3
        ) + torch.from_numpy(random.normal(0, 0.12, (3, 3, 3, 3)).astype(np.float32))
        some = functional.pad(pixels[odd], (1, 1, 1, 1), "replicate")
        pixels[odd] = functional.conv2d(some, filters)
    noise = torch.from_numpy(random.standard_normal(pixels.shape, np.float32))
    pixels = pixels + each(random.random((count, 1)) ** 3 * 0.08) * noise
    spread, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    return (pixels - mean) / spread.clamp_min(1 / 255)
