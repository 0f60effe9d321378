"""A picture in, crops and landmarks out: what the crop and landmarks stages give for one still."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aacsfnet.config import Crop, Landmarks
from aacsfnet.config.data import Index
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.pictures import MIN_SIDE, PictureReader
from aacsfnet.errors import DataError
from aacsfnet.faces.landmarks import describe, mesh_on, unsure
from aacsfnet.faces.locate import FaceLocator, Located
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.networks import Networks
from aacsfnet.faces.sampling import bounds, transform
from aacsfnet.faces.sequence import Cut, cut_still
from aacsfnet.faces.visibility import covered, hidden_measures
from aacsfnet.tables import Fault


@dataclass(frozen=True)
class FoundFace:
    """A face of a picture.

    Points are x right, y down, pixel centres at integers; z on x's scale, smaller = nearer.

    Attributes:
        crop: `(S, S, 3)` uint8 RGB, the face levelled and cut out.
        landmarks_px: `(478, 3)` float32 in crop pixels.
        to_frame: 2x3, crop pixel centres -> picture pixel centres.
        inside: share of the crop that lies inside the picture.
        confidence: the detector's score, 0 to 1.
        presence: the face mesh's score, 0 to 1.
        pose: `(3,)` yaw, pitch, roll in the crop, degrees; see `aacsfnet.faces.pose`.
        frame_roll: the head's roll in the picture, degrees.
        measures: facial measures by name, eye distances; see `aacsfnet.faces.geometry`. NaN where
            what they rest on is covered.
        visible: share of each region of `aacsfnet.tables.REGIONS` that is seen, see
            `aacsfnet.faces.visibility`.
    """

    crop: np.ndarray
    landmarks_px: np.ndarray
    to_frame: np.ndarray
    inside: float
    confidence: float | None
    presence: float
    pose: np.ndarray
    frame_roll: float
    measures: dict[str, float]
    visible: dict[str, float]

    @property
    def landmarks_in_frame(self) -> np.ndarray:
        """The landmarks `(478, 3)` in picture pixels."""
        return transform(self.to_frame, self.landmarks_px.astype(np.float64))

    @property
    def box_xyxy(self) -> np.ndarray:
        """The box `(4,)` round the landmarks in picture pixels: left, top, right, bottom."""
        return bounds(self.landmarks_in_frame)


class FaceExtractor(Networks):
    """Finds the faces of pictures; holds the networks, so make one and use it for many.

    Args:
        settings: how faces are found and cut out; `mode` and `smoothing` are for films.
        landmarks: how the landmarks are found.
    """

    def __init__(self, settings: Crop = Crop(), landmarks: Landmarks = Landmarks()) -> None:
        self._settings, self._landmarks = settings, landmarks
        self._locator = FaceLocator(settings)
        least = landmarks.min_confidence
        self._landmarker = CropLandmarker(least) if landmarks.mode == "still" else None
        self._held = (self._locator, *([self._landmarker] if self._landmarker else []))

    def find(self, picture: np.ndarray | str | Path, *, everyone: bool = False) -> list[FoundFace]:
        """Return the faces of a picture, largest first; none where the stages would find none.

        Args:
            picture: `(H, W, 3)` uint8 RGB, or a file, read as a data set's files are.
            everyone: all faces, not only the one that `Crop.people` takes.

        Raises:
            DataError: this is no such picture, or the file cannot be read as one.
        """
        pixels = _read(picture)
        if isinstance(pixels, Fault):
            return []
        if everyone:
            located = self._locator.locate_all(pixels)
        else:
            found = self._locator.locate(pixels)
            located = [] if isinstance(found, Fault) else [found]
        faces = (self._cut_out(pixels, each) for each in located)
        return [face for face in faces if not isinstance(face, Fault)]

    def _cut_out(self, picture: np.ndarray, located: Located) -> FoundFace | Fault:
        """Return a located face, or what is wrong where the mesh is not found on its crop."""
        cut = cut_still(picture, located.placement, self._settings.size, self._settings.margin)
        return found_faces([cut], [located], self._landmarker, self._landmarks)[0]


def found_faces(
    cuts: Sequence[Cut],
    located: Sequence[Located],
    landmarker: CropLandmarker | None,
    settings: Landmarks,
) -> list[FoundFace | Fault]:
    """Return what the landmarks stage gives for crops, or why it has nothing.

    Args:
        cuts: the crops.
        located: the faces by which they were cut.
        landmarker: looks again on each crop; None: the meshes are taken as they were located.
        settings: what counts: of a mesh's score, and of what is seen.
    """
    if not cuts:
        return []
    meshes = [
        mesh_on(
            lambda cut=cut: cut.picture,  # type: ignore[misc]
            cut.in_crop(face.mesh.points),
            face.mesh.presence,
            landmarker,
        )
        for cut, face in zip(cuts, located, strict=True)
    ]
    described = describe(
        np.stack([mesh.points for mesh in meshes]), np.stack([cut.to_frame for cut in cuts])
    )
    measures = np.column_stack(list(described.measures.values())).tolist()
    rest = zip(described.poses, described.frame_rolls.tolist(), measures, strict=True)
    found: list[FoundFace | Fault] = []
    for cut, face, mesh, (pose, roll, values) in zip(cuts, located, meshes, rest, strict=True):
        if mesh.presence < settings.min_confidence:
            found.append(unsure(mesh, settings.min_confidence))
            continue
        visible = face.visible.regions
        unseen = hidden_measures(covered(visible, settings.min_visibility))
        named = zip(described.measures, values, strict=True)
        found.append(
            FoundFace(
                crop=cut.picture,
                landmarks_px=mesh.points.astype(np.float32),
                to_frame=cut.to_frame,
                inside=cut.inside,
                confidence=face.confidence,
                presence=mesh.presence,
                pose=pose,
                frame_roll=roll,
                measures={name: np.nan if name in unseen else value for name, value in named},
                visible=visible,
            )
        )
    return found


def find_faces(
    picture: np.ndarray | str | Path,
    *,
    settings: Crop = Crop(),
    landmarks: Landmarks = Landmarks(),
    everyone: bool = False,
) -> list[FoundFace]:
    """Return the faces of one picture, see `FaceExtractor`, which spares many the loading.

    Args:
        picture: `(H, W, 3)` uint8 RGB, or a file.
        settings: how faces are found and cut out.
        landmarks: how the landmarks are found.
        everyone: all faces, largest first, not only the one that `settings.people` takes.

    Raises:
        DataError: this is no such picture, or the file cannot be read as one.
    """
    with FaceExtractor(settings, landmarks) as extractor:
        return extractor.find(picture, everyone=everyone)


def _read(picture: np.ndarray | str | Path) -> np.ndarray | Fault:
    """Return a picture's pixels, or the fault of a black one, which holds no face."""
    if isinstance(picture, np.ndarray):
        shape = picture.shape
        if picture.dtype != np.uint8 or shape[2:] != (3,) or min(shape[:2]) < MIN_SIDE:
            raise DataError(
                f"a picture is {picture.dtype} {shape}; expected uint8 (H, W, 3), RGB, sides of "
                f"{MIN_SIDE} pixels or more"
            )
        return picture
    path = Path(picture).resolve()
    pixels = PictureReader(DataFolder(path.parent), Index().max_megapixels).read(path.name)
    if isinstance(pixels, Fault) and pixels.status != "black":
        raise DataError(f"{picture}: {pixels.reason}")
    return pixels
