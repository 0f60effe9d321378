"""Facial measures: what the regions of pain do, in units of the interocular distance.

Each measure is one function of meshes `(..., 478, 3)` x, y, z in pixels (y down, z smaller =
nearer) that gives `(...)`; `MEASURES` holds them by name. They are taken on the *level face*:
turned upright and frontal by the head's pose, in interocular distances (between the eyes' centres,
three-dimensional, so a turned head's is no shorter) from the middle of the eyes. Position, size and
pose therefore cancel. Left and right are the person's own, so the person's right is at picture
left. AU numbers are FACS action units.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.faces.pose import rotation_of

Values = NDArray[np.float64]
Measure = Callable[[np.ndarray], Values]

#: A half of the face: gives the landmarks there for those of the right.
Side = Callable[[tuple[int, ...]], tuple[int, ...]]

# The parts that the measures take: the eyes' corners, a brow without its outer end, the middle of
# a lower lid.
_EYES = sets.RIGHT_EYE + sets.LEFT_EYE
_RIGHT_BROW, _RIGHT_LOWER_LID = sets.RIGHT_BROW_BOTTOM[1:], sets.RIGHT_LOWER_LID[3:6]
#: Points of the right whose height is compared with the left's: brow, lids, wing, cheek, lips.
_COMPARED = (
    *(*_RIGHT_BROW, *sets.RIGHT_UPPER_LID[3:6], *_RIGHT_LOWER_LID),
    *(*sets.RIGHT_WING, *sets.RIGHT_CHEEK, 61, 37, 84),
)

_ON_LEVEL_FACE: dict[str, Measure] = {}
_BOTH_SIDES: set[str] = set()
#: Each measure by name: meshes `(..., 478, 3)` in pixels -> `(...)` interocular distances.
MEASURES: dict[str, Measure] = {}


def eye_distance(points: np.ndarray) -> Values:
    """Return the distance between the eyes' middles (halfway between corners), in three dimensions.

    Args:
        points: `(..., 478, 3)`.
    """
    return _norm(_middle(points, sets.LEFT_EYE) - _middle(points, sets.RIGHT_EYE))


def level(points: np.ndarray) -> Values:
    """Return level faces `(..., 478, 3)`: upright, frontal, in interocular distances from mid-eyes.

    Args:
        points: `(..., 478, 3)` in pixels.
    """
    middle = _middle(points, _EYES)[..., None, :]
    scale = eye_distance(points)[..., None, None]
    return np.asarray((points - middle) @ rotation_of(points) / scale)


def measure_all(points: np.ndarray) -> dict[str, Values]:
    """Return every measure `(...)` of meshes `(..., 478, 3)` in pixels, by name.

    The faces are levelled once, and a whole recording takes little longer than one frame.
    """
    face = level(points)
    found: dict[str, Values] = {}
    for name, on_level in _ON_LEVEL_FACE.items():
        if name in _BOTH_SIDES:  # their mean, and both stand before it
            found[name] = (found[f"{name}_right"] + found[f"{name}_left"]) / 2
        else:
            found[name] = on_level(face)
    return found


def changes(measured: np.ndarray) -> Values:
    """Return how measures differ from the person's usual face.

    Faces differ more in build than expressions move them, so a measure says most against the same
    person's own; most frames of a recording are at rest, so the median stands for that.

    Args:
        measured: `(frames, measures)` of one person; NaN where unknown.
    """
    usual = np.full(measured.shape[1], np.nan)
    known = np.isfinite(measured).any(axis=0)
    usual[known] = np.nanmedian(measured[:, known], axis=0)
    return np.asarray(measured - usual)


def _measure(on_level: Measure, name: str = "", text: str | None = "") -> Measure:
    """Register a function of the level face as the measure of its name; return that of a mesh."""

    def of_mesh(points: np.ndarray) -> Values:
        return on_level(level(points))

    of_mesh.__name__, of_mesh.__doc__ = name or on_level.__name__, text or on_level.__doc__
    _ON_LEVEL_FACE[of_mesh.__name__], MEASURES[of_mesh.__name__] = on_level, of_mesh
    return of_mesh


def _measure_of_sides(of_side: Callable[[np.ndarray, Side], Values]) -> Measure:
    """Register three measures: of the right, of the left (its mirror image), and their mean."""
    name, text = of_side.__name__, of_side.__doc__
    right: Measure = lambda face: of_side(face, tuple)  # noqa: E731
    left: Measure = lambda face: of_side(face, sets.mirrored)  # noqa: E731
    _measure(right, f"{name}_right", text)
    _measure(left, f"{name}_left", text)
    _BOTH_SIDES.add(name)
    return _measure(lambda face: (right(face) + left(face)) / 2, name, text)


def _middle(face: np.ndarray, points: tuple[int, ...]) -> Values:
    return _mean(face[..., list(points), :], -2)


def _mean(values: np.ndarray, axis: int = -1) -> Values:
    """Return `values.mean(axis)`, several times as fast where there are few."""
    return np.asarray(np.add.reduce(values, axis) / values.shape[axis])


def _norm(vectors: np.ndarray) -> Values:
    return np.asarray(np.sqrt((vectors**2).sum(axis=-1)))


def _height(face: np.ndarray, points: tuple[int, ...]) -> Values:
    """Return how far points lie above the eyes' line, on average."""
    return np.asarray(-_mean(face[..., list(points), 1]), np.float64)


def _opening(face: np.ndarray, pairs: tuple[tuple[int, ...], ...]) -> Values:
    """Return the mean distance across an opening, within the face's plane."""
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    return _mean(_norm(face[..., upper, :2] - face[..., lower, :2]))


@_measure_of_sides
def brow_height(face: np.ndarray, on: Side) -> Values:
    """Return how far a brow lies above its eye's corners and lower lid.

    Falls with AU4 (brow lowerer), rises with AU1 and AU2. Right: points 53, 52, 65, 55 (lower edge)
    against 33, 133, 144, 145, 153, which are steadier together than the corners alone.
    """
    return _height(face, on(_RIGHT_BROW)) - _height(face, on(sets.RIGHT_EYE + _RIGHT_LOWER_LID))


@_measure
def brow_distance(face: np.ndarray) -> Values:
    """Return the distance between the inner ends of the brows.

    Falls with AU4, which draws them together; the mesh follows that less than the lowering.
    Points 55, 107 against 285, 336.
    """
    right = _middle(face, (sets.RIGHT_BROW_BOTTOM[-1], sets.RIGHT_BROW_TOP[-1]))
    left = _middle(face, (sets.LEFT_BROW_BOTTOM[-1], sets.LEFT_BROW_TOP[-1]))
    return _norm((right - left)[..., :2])


@_measure_of_sides
def lid_opening(face: np.ndarray, on: Side) -> Values:
    """Return how far an eye's lids stand apart.

    Falls with AU43 (eyes closed) and, less, with AU6 and AU7. Right: pairs 160-144, 159-145,
    158-153.
    """
    return _opening(face, tuple(map(on, sets.RIGHT_LIDS)))


@_measure
def lower_lid_height(face: np.ndarray) -> Values:
    """Return how high the lower lids stand against the corners of the eyes (negative: below).

    Rises with AU7 (lid tightener) and AU6. Points 144, 145, 153 and 373, 374, 380 against 33,
    133, 263, 362.
    """
    return _height(face, _RIGHT_LOWER_LID + sets.mirrored(_RIGHT_LOWER_LID)) - _height(face, _EYES)


@_measure
def cheek_raise(face: np.ndarray) -> Values:
    """Return the height of the cheeks against the corners of the eyes (negative: below).

    Rises with AU6 (cheek raiser) and AU12. Points 50, 101, 118 and 280, 330, 347.
    """
    return _height(face, sets.RIGHT_CHEEK + sets.LEFT_CHEEK) - _height(face, _EYES)


@_measure
def nose_wrinkle(face: np.ndarray) -> Values:
    """Return the height of the nose's wings against the inner corners of the eyes (negative).

    Rises with AU9 (nose wrinkler), which pulls the wings up; the mesh hardly follows that
    movement. Points 129, 102, 48 and 358, 331, 278 against 133, 362.
    """
    corners = _height(face, (sets.RIGHT_EYE[1], sets.LEFT_EYE[1]))
    return _height(face, sets.RIGHT_WING + sets.LEFT_WING) - corners


@_measure
def upper_lip_raise(face: np.ndarray) -> Values:
    """Return how far the upper lip is drawn up.

    Its height over the corners of the mouth, plus its height against the ridge of the nose
    (negative). Rises with AU10 (upper lip raiser); of the same strength AU9 raises it a third as
    much, AU25 a fifth, and AU12 lowers it two fifths. Points 0, 37, 267, 39, 269 (outer edge) and
    13, 82, 312, 81, 311 (inner edge) against 61, 291 and 197, 195, 5: many, since the mesh follows
    the lip weakly, and few would mostly be noise. The lower lip is left out: the jaw moves it.
    """
    upper = _height(face, sets.UPPER_LIP_MIDDLE)
    corners = _height(face, sets.MOUTH_CORNERS)
    return (upper - corners) + (upper - _height(face, sets.NOSE_RIDGE))


@_measure
def mouth_opening(face: np.ndarray) -> Values:
    """Return how far the lips stand apart.

    Rises with AU25 (lips part), AU26 (jaw drop) and AU27. Pairs 82-87, 13-14, 312-317.
    """
    return _opening(face, sets.LIP_PAIRS)


@_measure
def mouth_width(face: np.ndarray) -> Values:
    """Return the distance between the corners of the mouth.

    Rises with AU20 (lip stretcher) and AU12, falls with AU18. Points 61 and 291.
    """
    right, left = sets.MOUTH_CORNERS
    return _norm(face[..., right, :2] - face[..., left, :2])


@_measure
def mouth_corner_pull(face: np.ndarray) -> Values:
    """Return the height of the mouth's corners against the middle of the lips.

    Rises with AU12 (lip corner puller), falls with AU15 and, less, with AU10. Points 61, 291
    against 13, 14.
    """
    return _height(face, sets.MOUTH_CORNERS) - _height(face, sets.LIP_PAIRS[1])


@_measure
def asymmetry(face: np.ndarray) -> Values:
    """Return how much the two sides differ in height, on average over pairs of points.

    Rises with one-sided movement of any action unit; 0 on a face whose sides are alike. Brows,
    lids, wings of the nose, cheeks, lips; points as listed in `_COMPARED`.
    """
    right, left = list(_COMPARED), list(sets.mirrored(_COMPARED))
    return np.asarray(np.abs(face[..., right, 1] - face[..., left, 1]).mean(axis=-1))
