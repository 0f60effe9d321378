"""Kinds of input that other face tools stumble over, each read rightly or with its reason.

    python -m benchmarks.inputs --model results/demo/experiments/full/seed-1/fold-0 --folder london

Made of photographs of five people or more (`--folder`, for instance of the London Set, see
`benchmarks.london`) and of a rendered profile. Writes benchmarks/results/inputs-<date>.json.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from aacsfnet.inference import Predictor
from aacsfnet.inference.predict import rows_of
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Pose, render
from benchmarks.records import record

#: Side of the square of one face, pixels; of five people each has another.
SIDES = (360, 330, 300, 270, 240)
#: Frames of each part of a film.
SHOWN = 8


class Made(NamedTuple):
    """An input.

    Attributes:
        path: the file.
        faces: of each frame the middles `(2,)` of its faces, pixels.
        may_fail: a face that is not found is right, too, if the reason is told.
    """

    path: Path
    faces: list[list[np.ndarray]]
    may_fail: bool = False


def inputs(folder: Path, portraits: Sequence[np.ndarray]) -> Iterator[tuple[str, Made]]:
    """Write files; yield what each is and what it shows.

    Args:
        folder: to write into.
        portraits: five or more square pictures `(S, S, 3)` uint8 RGB, one face in the middle.
    """
    squares = [_fitted(each, SIDES[0]) for each in portraits]
    one, side = squares[0], SIDES[0]
    middle = [np.full(2, side / 2)]
    y, x = np.mgrid[:side, :side] - side / 2
    around = (255 * (np.hypot(x, y) < 0.46 * side)).astype(np.uint8)
    # What is transparent holds loud colours, as editors leave them.
    loud = np.where(around[..., None] > 0, one, np.uint8([255, 0, 255]))
    yield (
        "PNG, transparent round the head",
        Made(_written(folder / "alpha.png", np.dstack([loud, around])), [middle]),
    )
    clear = np.dstack([one, np.zeros_like(around)])
    yield "PNG, all transparent", Made(_written(folder / "clear.png", clear), [[]])
    grey = cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)
    yield "JPEG, grey", Made(_written(folder / "grey.jpg", grey), [middle])
    deep = one.astype(np.uint16) * 257
    yield "PNG of 16 bit", Made(_written(folder / "deep.png", deep), [middle])
    for yaw in (60, 90):
        grain = Lens(noise=18.0, blur=1.0)
        profile = render(Person.from_seed(77), {}, Pose(yaw=yaw, face_height=0.5), None, grain, 360)
        where = [profile.landmarks_px[:468, :2].mean(axis=0)]
        path = _written(folder / f"profile-{yaw}.png", profile.picture)
        yield f"profile of {yaw} degrees in grain", Made(path, [where], may_fail=True)
    group, places = _side_by_side(squares[:5])
    yield "five people", Made(_written(folder / "five.jpg", group), [places])
    empty = np.full_like(one, 128)
    film = folder / "film.mp4"
    _film(film, [one] * SHOWN + [empty] * SHOWN + [one] * SHOWN)
    yield "face, no face, face", Made(film, [middle] * SHOWN + [[]] * SHOWN + [middle] * SHOWN)


def _fitted(picture: np.ndarray, side: int) -> np.ndarray:
    method = cv2.INTER_AREA if picture.shape[0] > side else cv2.INTER_LINEAR
    return cv2.resize(picture, (side, side), interpolation=method)


def _side_by_side(squares: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return people of falling sizes in one picture, and the middles of their squares."""
    picture = np.full((SIDES[0], sum(SIDES), 3), 90, np.uint8)
    left, places = 0, []
    for square, side in zip(squares, SIDES, strict=True):
        picture[-side:, left : left + side] = _fitted(square, side)
        places.append(np.array([left + side / 2, SIDES[0] - side / 2]))
        left += side
    return picture, places


def _written(path: Path, pixels: np.ndarray) -> Path:
    code = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(pixels.shape[-1])
    cv2.imwrite(
        str(path), pixels if pixels.ndim == 2 or code is None else cv2.cvtColor(pixels, code)
    )
    return path


def _film(path: Path, pictures: Sequence[np.ndarray]) -> None:
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for at, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 25)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def judged(made: Made, predictor: Predictor) -> dict:
    """Return what `aacsfnet predict` says of a file, and whether that is right."""
    rows = list(rows_of(made.path, predictor))
    wrong = []
    for at, places in enumerate(made.faces):
        own = [row for row in rows if row["frame"] == at]
        found = [row["box"] for row in own if row["status"] == "ok"]
        told = all(row.get("reason") for row in own if row["status"] != "ok")
        all_there = all(any(_inside(box, place) for box in found) for place in places)
        lacking = not all_there and not (made.may_fail and not found)
        if not own or not told or len(found) > len(places) or lacking:
            wrong.append(at)
    reasons = sorted({f"{row['status']}: {row['reason']}" for row in rows if row.get("reason")})
    poses = [round(row["pose"]["yaw"]) for row in rows if row["status"] == "ok"]
    return {
        "frames": len(made.faces),
        "faces": sum(row["status"] == "ok" for row in rows),
        "true faces": sum(map(len, made.faces)),
        "wrong frames": wrong,
        "reasons": reasons,
        "yaw": poses if made.may_fail else None,
        "why not to trust": sorted({row["why"] for row in rows if row.get("why")}),
    }


def _inside(box: dict[str, float], place: np.ndarray) -> bool:
    return bool(box["left"] < place[0] < box["right"] and box["top"] < place[1] < box["bottom"])


def main() -> None:
    """Make, read, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of photographs")
    given, begun = parser.parse_args(), time.monotonic()
    files = sorted(given.folder.glob("*.jpg"))[::2][:5]
    portraits = [cv2.imread(str(file), cv2.IMREAD_COLOR_RGB) for file in files]
    predictor = Predictor(given.model)
    with tempfile.TemporaryDirectory() as name:
        found = {
            what: judged(made, predictor)
            for what, made in inputs(Path(name), [each for each in portraits if each is not None])
        }
    record("inputs", found, time.monotonic() - begun)


if __name__ == "__main__":
    main()
