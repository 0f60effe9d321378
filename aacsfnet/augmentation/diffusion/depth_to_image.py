"""Depth-to-image of Stable Diffusion 2, steered by a depth map as it is given."""

from typing import Any

import torch
from diffusers import StableDiffusionDepth2ImgPipeline
from torch.nn.functional import interpolate

_LEAST_RANGE = 1e-6


class DepthToImage(StableDiffusionDepth2ImgPipeline):
    """`StableDiffusionDepth2ImgPipeline` that takes latents as `image` and any depth map.

    diffusers 0.42 takes the mask's size from `image`: an eighth of it, which is wrong when latents
    are given. It also scales the map in half precision and divides by zero for a constant one.
    """

    def prepare_depth_map(
        self,
        image: torch.Tensor,
        depth_map: torch.Tensor,
        batch_size: int,
        do_classifier_free_guidance: bool,
        dtype: torch.dtype,
        device: torch.device,
    ) -> torch.Tensor:
        """Return the U-Net's fifth channel `(B, 1, h, w)`, or twice that for guidance.

        Args:
            image: `(B, 4, h, w)` latents.
            depth_map: `(B, H, W)`, nearer = larger; each is stretched to -1..1, the range that the
                model was trained with, and a constant one counts as far away.
            batch_size: B.
            do_classifier_free_guidance: whether each step runs with and without the prompt.
            dtype: of the result.
            device: of the result.
        """
        maps = depth_map.to(device, torch.float32)[:, None]  # (B, 1, H, W)
        small = interpolate(maps, size=image.shape[-2:], mode="bicubic", align_corners=False)
        least: Any = small.amin(dim=(1, 2, 3), keepdim=True)
        span: Any = small.amax(dim=(1, 2, 3), keepdim=True) - least
        stretched = (2 * (small - least) / span.clamp_min(_LEAST_RANGE) - 1).to(dtype)
        return torch.cat([stretched] * 2) if do_classifier_free_guidance else stretched
