"""Draw depth.png: depth maps of a rendered face and of a photograph.

    python docs/depth.py

The rendered face's scene is its true depth. There is no depth model in the project, so the
photograph's scene is a crude stand-in for a model's map: head and shoulders before a wall, on
another scale than the face's.
"""

from pathlib import Path

import cv2
import numpy as np
from skimage import data

from aacsfnet.augmentation.depth.mesh import mesh_depth, mesh_triangles, rasterise
from aacsfnet.augmentation.depth.scene_depth import composite, nearness_picture
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render

SIDE = 192


def row(picture: np.ndarray, scene: np.ndarray, landmarker: CropLandmarker) -> np.ndarray:
    """Return picture, mesh map, scene and composite side by side, `(SIDE, 4 * SIDE, 3)`."""
    points = landmarker.find(picture).points
    z = rasterise(points[:468], mesh_triangles(), SIDE, SIDE)
    maps = (mesh_depth(points, SIDE, SIDE), nearness_picture(scene))
    maps += (nearness_picture(composite(z, scene)),)
    grey = [np.repeat((each >> 8).astype(np.uint8)[..., None], 3, axis=2) for each in maps]
    return np.hstack([picture, *grey])


def main() -> None:
    """Draw the picture."""
    pose = Pose(yaw=18.0, pitch=-5.0, roll=0.0, face_height=0.6)
    made = render(Person.from_seed(7), {"au4": 3.0, "au25": 4.0}, pose, size=SIDE)
    # In the renderer's depth small is near, and the background is infinitely far.
    known = np.isfinite(made.depth)
    true = np.where(known, -np.where(known, made.depth, 0), -1.3 * made.depth[known].max())
    photograph = cv2.resize(data.astronaut()[10:220, 120:330], (SIDE, SIDE))
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    head = np.sqrt(np.clip(1 - (x / 0.36) ** 2 - ((y + 0.04) / 0.46) ** 2, 0, 1))
    shoulders = 0.5 * np.sqrt(np.clip(1 - (x / 0.7) ** 2 - ((y - 0.6) / 0.36) ** 2, 0, 1))
    scene = 7 + 0.4 * cv2.GaussianBlur(np.maximum(head, shoulders), (0, 0), 3)
    with CropLandmarker(0.5) as landmarker:
        rows = [row(made.picture, true, landmarker), row(photograph, scene, landmarker)]
    path = Path(__file__).with_name("depth.png")
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
