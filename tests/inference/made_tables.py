"""Films whose pictures tell their own number, and tables of scores for them, without a network."""

from pathlib import Path

import numpy as np

from aacsfnet.inference.table import writing
from tests.made_videos import write

HEIGHT, WIDTH = 240, 320
_BITS = 8


def numbered(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return a picture with its number as black and white blocks, above a marked corner."""
    picture = np.full((height, width, 3), 128, np.uint8)
    for bit in range(_BITS):
        left, right = bit * width // _BITS, (bit + 1) * width // _BITS
        picture[: height // 2, left:right] = 235 if number >> bit & 1 else 20
    picture[height // 2 :, : width // 8] = (220, 40, 40)
    return picture


def number_in(picture: np.ndarray) -> int:
    """Return the number that a picture tells, or a picture of it at any size."""
    height, width = picture.shape[:2]
    corner = picture[height * 3 // 4, width // 16].astype(int)
    assert corner[0] > corner[1] + 100, f"the corner is {corner}: the picture is turned"
    grey = picture[height // 4].mean(axis=1)
    blocks = [grey[(2 * bit + 1) * width // (2 * _BITS)] for bit in range(_BITS)]
    assert all(value < 70 or value > 180 for value in blocks), blocks
    return sum(int(value > 128) << bit for bit, value in enumerate(blocks))


def uneven(count: int, start: int = 0) -> list[int]:
    """Return times of a variable frame rate, milliseconds."""
    return (start + np.cumsum(np.random.default_rng(count).integers(15, 120, count))).tolist()


def film(
    path: Path,
    count: int = 40,
    *,
    start: int = 0,
    picture=numbered,
    even: bool = False,
    b_frames: bool = False,
    codec: str = "libx264",
    **how,
) -> list[int]:
    """Write a film of numbered pictures; return their times, milliseconds."""
    times = uneven(count, start)
    if even or path.suffix == ".avi":  # which holds one rate only
        times = [40 * number for number in range(count)]
    coding = {"bf": "3" if b_frames else "0"} if codec == "libx264" else {}
    pictures = [picture(number) for number in range(count)]
    write(path, pictures, times_ms=times, codec=codec, coding=coding, **how)
    return times


def rows(path: str, times_ms, size=(WIDTH, HEIGHT)) -> list[dict]:
    """Return two people's rows: frames 5 to 8 without a face, the second leaves at frame 20."""
    made = []
    for frame, time in enumerate(times_ms):
        row = {"path": path, "frame": frame, "time_s": time / 1000}
        if 5 <= frame <= 8:
            made.append(row | {"status": "no_face", "reason": "neither detector found a face"})
            continue
        for face in range(2 if frame < 20 else 1):
            left = (0.1 + 0.5 * face) * size[0]
            box = {"left": left, "right": left + 0.3 * size[0]}
            box |= {"top": 0.55 * size[1], "bottom": 0.9 * size[1]}
            score = 4 + 3 * np.sin(frame / 6 + 2 * face)
            pose = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0}
            own = {"face": face, "status": "ok", "box": box, "pose": pose, "prediction": score}
            made.append(row | own)
    return made


def table(path: Path, made: list[dict]) -> Path:
    """Write rows as `aacsfnet predict` does."""
    with writing(path) as writer:
        for row in made:
            writer.write(row)
    return path
