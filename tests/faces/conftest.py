"""A photograph of a real face, and networks that are loaded once."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from aacsfnet.config import Crop
from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.locate import FaceLocator
from aacsfnet.faces.mesh import CropLandmarker


@pytest.fixture(scope="session")
def photograph() -> np.ndarray:
    """`(512, 512, 3)` uint8; a face 110 high, irises at (203, 100.5), (246.5, 103)."""
    from skimage import data

    return data.astronaut()


@pytest.fixture(scope="session")
def two_people(photograph) -> np.ndarray:
    """The photograph at left, and in the middle half as large."""
    picture = np.full((512, 1100, 3), 120, np.uint8)
    picture[:, :420] = photograph[:, :420]
    picture[150:406, 440:696] = cv2.resize(photograph, (256, 256), interpolation=cv2.INTER_AREA)
    return picture


@pytest.fixture(scope="session")
def extractor() -> Iterator[FaceExtractor]:
    with FaceExtractor() as made:
        yield made


@pytest.fixture(scope="session")
def locator() -> Iterator[FaceLocator]:
    with FaceLocator(Crop()) as made:
        yield made


@pytest.fixture(scope="session")
def landmarker() -> Iterator[CropLandmarker]:
    with CropLandmarker(0.5) as made:
        yield made


def turned(picture: np.ndarray, degrees: float, about: tuple[float, float]) -> np.ndarray:
    """Return a picture turned counter-clockwise, as `cv2.getRotationMatrix2D` says."""
    matrix = cv2.getRotationMatrix2D(about, degrees, 1)
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
