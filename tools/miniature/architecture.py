"""The miniature generator's architecture, with random weights until it is trained."""

import json
from pathlib import Path
from typing import Any

from aacsfnet.augmentation.local_models import CARD
from tools.miniature.tokenizer import build_tokenizer

#: Side of the pictures, pixels.
PICTURE_SIZE = 128


def save(pipeline: Any, folder: Path, card: dict[str, Any]) -> None:
    """Write a pipeline in half precision with a card that says what it is."""
    for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet, pipeline.controlnet):
        part.half()
    pipeline.save_pretrained(folder, safe_serialization=True)
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def build_pipeline(seed: int) -> Any:
    """Return the miniature pipeline with random weights, the same for the same seed.

    Its parts are those of Stable Diffusion with a ControlNet, made small: a VAE that shrinks by 4,
    a U-Net with attention on its smallest feature maps only, where a CPU can afford it.
    """
    import torch
    from diffusers import DDIMScheduler, StableDiffusionControlNetImg2ImgPipeline

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = build_tokenizer()
        parts = _vae(), _text_encoder(tokenizer), _unet(), _controlnet()
    vae, text_encoder, unet, controlnet = parts
    return StableDiffusionControlNetImg2ImgPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        controlnet=controlnet,
        scheduler=DDIMScheduler(
            beta_schedule="squaredcos_cap_v2",
            prediction_type="v_prediction",
            clip_sample=False,
            set_alpha_to_one=True,
            timestep_spacing="trailing",
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(32, 64, 96),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=PICTURE_SIZE,
        scaling_factor=1.0,  # training folds the latents' statistics into the weights
    )


def _text_encoder(tokenizer: Any) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=77,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _unet_shape() -> dict[str, Any]:
    return {
        "in_channels": 4,
        "block_out_channels": (32, 64, 128),
        "down_block_types": ("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
        "layers_per_block": 1,
        "cross_attention_dim": 96,
        "attention_head_dim": 4,  # the number of heads, by a historic mix-up of names
        "norm_num_groups": 8,
    }


def _unet() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=PICTURE_SIZE // 4,
        out_channels=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        **_unet_shape(),
    )


def _controlnet() -> Any:
    """Return a ControlNet whose zero convolutions are not zero: depth has an effect at once."""
    from diffusers import ControlNetModel

    network: Any = ControlNetModel(conditioning_embedding_out_channels=(8, 16, 32), **_unet_shape())
    zeroed = [
        *network.controlnet_down_blocks,
        network.controlnet_mid_block,
        network.controlnet_cond_embedding.conv_out,
    ]
    for layer in zeroed:
        layer.reset_parameters()
    return network
