"""Checkpoints of every kind of pipeline, a few hundred kilobytes each, with random weights."""

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DDIMScheduler,
    StableDiffusionControlNetImg2ImgPipeline,
    StableDiffusionXLControlNetImg2ImgPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from aacsfnet.augmentation.diffusion.depth_to_image import DepthToImage
from tools.miniature.tokenizer import build_tokenizer

#: Side of the pictures, pixels; latents have an eighth of it.
SIZE = 64


def tiny_sd(controlnets=1, seed=0):
    """Stable Diffusion with one ControlNet, or two; the VAE shrinks by 8 as the real one does."""
    with _seeded(seed):
        nets = [controlnet(cross_attention_dim=32) for _ in range(controlnets)]
        made = StableDiffusionControlNetImg2ImgPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text(32)),
            tokenizer=build_tokenizer(),
            unet=_unet(cross_attention_dim=32),
            controlnet=nets[0] if controlnets == 1 else nets,
            scheduler=_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    return _quiet(made)


def tiny_sdxl(seed=0):
    """SDXL: two text encoders, a pooled embedding of 24 numbers, six time ids of 8."""
    extra = {
        "cross_attention_dim": 32 + 48,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 24 + 6 * 8,
    }
    with _seeded(seed):
        second = build_tokenizer()
        second.pad_token = "!"  # as SDXL's second tokenizer has it
        made = StableDiffusionXLControlNetImg2ImgPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text(32)),
            text_encoder_2=CLIPTextModelWithProjection(_text(48, projection_dim=24)),
            tokenizer=build_tokenizer(),
            tokenizer_2=second,
            unet=_unet(**extra),
            controlnet=controlnet(**extra),
            scheduler=_scheduler(),
            add_watermarker=False,
        )
    return _quiet(made)


def tiny_depth_to_image(seed=0):
    """Stable Diffusion 2 depth: the U-Net's fifth input channel is the depth map."""
    with _seeded(seed):
        made = DepthToImage(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text(32)),
            tokenizer=build_tokenizer(),
            unet=_unet(cross_attention_dim=32, in_channels=5),
            scheduler=_scheduler(),
            depth_estimator=None,
            feature_extractor=None,
        )
    return _quiet(made)


TINY = {"sd-controlnet": tiny_sd, "sdxl-controlnet": tiny_sdxl, "sd-depth2img": tiny_depth_to_image}
#: What the real checkpoints' model_index.json names.
CLASS_NAMES = {
    "sd-controlnet": "StableDiffusionPipeline",
    "sdxl-controlnet": "StableDiffusionXLPipeline",
    "sd-depth2img": "StableDiffusionDepth2ImgPipeline",
}


def controlnet(**shape):
    """A ControlNet whose zero convolutions are not zero, so that it has an effect untrained."""
    network = ControlNetModel(
        conditioning_embedding_out_channels=(8, 8, 8, 8), **(_shape() | shape)
    )
    for layer in (
        *network.controlnet_down_blocks,
        network.controlnet_mid_block,
        network.controlnet_cond_embedding.conv_out,
    ):
        layer.reset_parameters()
    return network


def _seeded(seed):
    fork = torch.random.fork_rng(devices=[])

    class Seeded:
        def __enter__(self):
            fork.__enter__()
            torch.manual_seed(seed)

        def __exit__(self, *error):
            fork.__exit__(*error)

    return Seeded()


def _quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _shape():
    return {
        "in_channels": 4,
        "block_out_channels": (16, 32),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "layers_per_block": 1,
        "attention_head_dim": 2,
        "norm_num_groups": 8,
    }


def _unet(**shape):
    return UNet2DConditionModel(
        sample_size=SIZE // 8,
        out_channels=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **(_shape() | shape),
    )


def _vae():
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=SIZE,
    )


def _text(width, **more):
    tokenizer = build_tokenizer()
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **more,
    )


def _scheduler():
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
