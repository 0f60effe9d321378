"""Depth of the whole picture by a depth model, and the face's mesh set into it.

Convention: nearness, larger = nearer, on no fixed scale, as MiDaS and its successors give it.
Models that give distances in metres are inverted, so that all maps can be used alike.
"""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.local_models import check_folder
from aacsfnet.errors import ModelFileError, first_line

if TYPE_CHECKING:
    import torch

#: Families of transformers' depth models whose output is a distance.
_METRIC_FAMILIES = ("zoedepth", "glpn", "prompt_depth_anything", "depth_pro")
_LEAST_METRES = 0.05
#: Width of the seam between the face's mesh and the scene, share of the picture's height.
_SEAM = 0.03


class SceneDepth:
    """A depth model from a local folder, loaded once.

    Args:
        folder: with `config.json`, `preprocessor_config.json` and safetensors weights.
        device: to compute on.

    Raises:
        ModelFileError: the folder is missing, altered, or holds no such model.
    """

    def __init__(self, folder: Path, device: "torch.device") -> None:
        from transformers import AutoImageProcessor, AutoModelForDepthEstimation

        check_folder("depth.model", folder)
        try:
            self._processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
            model: Any = AutoModelForDepthEstimation.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            raise ModelFileError(
                f"depth.model = '{folder}': no depth model: {first_line(error)}"
            ) from error
        self._model = model.to(device).eval()
        self._device = device

    @property
    def is_metric(self) -> bool:
        """Return whether the model gives distances, which are inverted."""
        settings = self._model.config
        return (
            settings.model_type in _METRIC_FAMILIES
            or getattr(settings, "depth_estimation_type", "relative") == "metric"
        )

    def nearness(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the nearness of each pixel, `(H, W)`.

        Args:
            picture: `(H, W, 3)` RGB.
        """
        import torch

        height, width = picture.shape[:2]
        # A copy, because torch takes no views with negative strides.
        inputs = self._processor(images=picture.copy(), return_tensors="pt").to(self._device)
        # The processor knows what it did to the picture: ZoeDepth's adds a margin, for instance,
        # which has to be taken off again before the map is brought to the picture's size.
        sizes: dict[str, Any] = {"target_sizes": [(height, width)]}
        undo = self._processor.post_process_depth_estimation
        if "source_sizes" in inspect.signature(undo).parameters:
            sizes["source_sizes"] = [(height, width)]
        with torch.inference_mode():
            (found,) = undo(self._model(**inputs), **sizes)
        whole = found["predicted_depth"].squeeze().float().cpu().numpy()  # (H, W)
        return as_nearness(whole.astype(np.float64), self.is_metric)


def as_nearness(depth: NDArray[np.float64], is_metric: bool) -> NDArray[np.float64]:
    """Return a model's output as nearness: distances are inverted, inverse depth stays.

    >>> as_nearness(np.array([[2.0, 4.0]]), True).tolist()
    [[0.5, 0.25]]
    """
    return 1 / np.maximum(depth, _LEAST_METRES) if is_metric else depth


def nearness_picture(nearness: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Return nearness as a control picture: nearest 65535, farthest 0; a constant map is black.

    Args:
        nearness: `(H, W)`; values that are not finite count as farthest.
    """
    known = np.isfinite(nearness)
    picture = np.zeros(nearness.shape, np.uint16)
    if known.any():
        low, high = nearness[known].min(), nearness[known].max()
        if high > low:
            picture[known] = np.rint((nearness[known] - low) / (high - low) * 65535)
    return picture


def composite(face_z: NDArray[np.float64], scene: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return nearness of the scene with the face's mesh set into it, on the mesh's scale.

    The scene is scaled and shifted to agree with the mesh over the face (least squares), and the
    two are blended over a narrow seam inside the mesh's rim. A scene that runs against the mesh, or
    is flat there, is only shifted, so that the face is never turned inside out.

    Args:
        face_z: `(H, W)` distances of the mesh, infinity outside it.
        scene: `(H, W)` nearness of the scene.
    """
    import cv2

    face = np.isfinite(face_z)
    if not face.any():
        return scene
    mesh = -face_z[face]
    spread = scene[face].std()
    slope = 0.0 if spread == 0 else np.cov(scene[face], mesh)[0, 1] / np.var(scene[face], ddof=1)
    if slope <= 0:
        slope = mesh.std() / spread if spread > 0 else 1.0
    matched = mesh.mean() + slope * (scene - scene[face].mean())
    inside = cv2.distanceTransform(face.astype(np.uint8), cv2.DIST_L2, 5)
    weight = np.clip(inside / max(1.0, _SEAM * len(scene)), 0, 1)
    return np.asarray(
        np.where(face, -np.where(face, face_z, 0), 0) * weight + matched * (1 - weight)
    )
