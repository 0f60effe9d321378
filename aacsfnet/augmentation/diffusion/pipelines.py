"""The pipelines behind one loader: from checked files to something that makes pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aacsfnet.augmentation.diffusion.model_files import ModelFiles
from aacsfnet.augmentation.diffusion.recipe import SCHEDULERS, Recipe
from aacsfnet.augmentation.local_models import quieten
from aacsfnet.errors import ModelFileError, WorkError, first_line

if TYPE_CHECKING:
    import torch

#: Pictures of a shard from which on compiling the networks should pay on a GPU: an estimate, from
#: a minute or two of compiling in each process and some hundredths of a second saved a picture.
COMPILE_FROM = 2000


def load_pipeline(
    files: ModelFiles,
    recipe: Recipe,
    device: "torch.device",
    dtype: "torch.dtype",
    lora_scale: float = 1.0,
) -> Any:
    """Return the image-to-image pipeline of a model, ready on a device.

    Only safetensors are read and nothing is fetched. The safety checker stays off: it was trained
    on other pictures, blanks faces without a word, and a gate of our own follows.

    Raises:
        ModelFileError: the files are no such pipeline, are damaged, or do not fit each other.
    """
    import diffusers
    import torch

    quieten()
    local: dict[str, Any] = {"dtype": dtype, "local_files_only": True, "use_safetensors": True}
    try:
        pipeline = _load(files, local)
        if recipe.scheduler != "model":
            kind = getattr(diffusers, str(SCHEDULERS[recipe.scheduler]))
            pipeline.scheduler = kind.from_config(pipeline.scheduler.config)
    except Exception as error:  # diffusers, safetensors and torch each raise kinds of their own
        raise ModelFileError(
            f"{files.folder}: cannot be loaded as {files.kind}: {first_line(error)}"
        ) from error
    if files.lora is not None:
        _fuse(pipeline, files.lora, lora_scale)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(device)
    half_sdxl = files.kind == "sdxl-controlnet" and dtype == torch.float16
    if half_sdxl and pipeline.vae.config.force_upcast:
        pipeline.vae.to(torch.float32)  # SDXL's own one overflows in float16
    lay_out(pipeline)
    return pipeline


def _load(files: ModelFiles, local: dict[str, Any]) -> Any:
    import diffusers

    if files.kind == "sd-depth2img":
        from aacsfnet.augmentation.diffusion.depth_to_image import DepthToImage

        return DepthToImage.from_pretrained(
            files.folder, depth_estimator=None, feature_extractor=None, **local
        )
    nets = [
        diffusers.ControlNetModel.from_pretrained(folder, **local)
        for folder in (files.controlnet, files.landmarks_controlnet)
        if folder is not None
    ]
    controlnet = nets[0] if len(nets) == 1 else diffusers.MultiControlNetModel(nets)
    if files.kind == "sdxl-controlnet":
        return diffusers.StableDiffusionXLControlNetImg2ImgPipeline.from_pretrained(
            files.folder, controlnet=controlnet, add_watermarker=False, **local
        )
    return diffusers.StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
        files.folder,
        controlnet=controlnet,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **local,
    )


def _fuse(pipeline: Any, file: Path, scale: float) -> None:
    """Fuse a LoRA into the weights, so that it costs nothing at each step.

    diffusers skips what does not fit with no more than a log line, so it is looked whether all of
    it has arrived.

    Raises:
        ModelFileError: the file is damaged, or made for another model.
    """
    from safetensors.torch import load_file

    try:
        pipeline.load_lora_weights(load_file(file), adapter_name="lora")
        arrived = bool(pipeline.get_list_adapters())
        if arrived:
            pipeline.fuse_lora(lora_scale=scale, safe_fusing=True)
            pipeline.unload_lora_weights()
    except Exception as error:  # as above
        raise ModelFileError(
            f"{file}: cannot be put into {type(pipeline).__name__}: {first_line(error)}; take a "
            "LoRA that was made for this model"
        ) from error
    if not arrived:
        raise ModelFileError(
            f"{file}: holds no LoRA weights for {type(pipeline).__name__}; take a LoRA that was "
            "made for this model"
        )


def lay_out(pipeline: Any) -> None:
    """Order weights and feature maps channels last, as convolutions like them best.

    The bundled model takes a seventh less time with it on a CPU.
    """
    import torch

    for part in networks(pipeline):
        part.to(memory_format=torch.channels_last)


def networks(pipeline: Any) -> list[Any]:
    """Return the networks that a picture passes: VAE, U-Net and ControlNets."""
    return [pipeline.vae, pipeline.unet, *controlnets(pipeline)]


def controlnets(pipeline: Any) -> list[Any]:
    """Return the ControlNets: that of depth first, then that of landmarks."""
    controlnet = getattr(pipeline, "controlnet", None)
    if controlnet is None:
        return []
    return list(getattr(controlnet, "nets", None) or [controlnet])


def text_encoders(pipeline: Any) -> list[tuple[Any, Any]]:
    """Return tokenizers and text encoders, one pair or, of SDXL, two."""
    pairs = [(pipeline.tokenizer, pipeline.text_encoder)]
    if getattr(pipeline, "text_encoder_2", None) is not None:
        pairs.append((pipeline.tokenizer_2, pipeline.text_encoder_2))
    return pairs


def compiles(choice: str, device: "torch.device", pictures: int) -> bool:
    """Return whether the networks are compiled for a shard of so many pictures.

    The shard's size decides, not what is left of it, so that a killed job resumes as it
    began.
    """
    if choice == "auto":
        return device.type == "cuda" and pictures >= COMPILE_FROM
    return choice == "always"


def compile_networks(pipeline: Any, backend: str = "inductor", mode: str | None = None) -> None:
    """Compile U-Net, ControlNets and the VAE's decoder at their next pass, in place.

    Shapes are taken as constant, which they are. The default `mode` is meant: `max-autotune` picks
    kernels by timing them, so two processes may pick different ones and their pictures would differ
    in the last bits.
    """
    for module in (pipeline.unet, *controlnets(pipeline), pipeline.vae.decoder):
        module.compile(backend=backend, mode=mode, dynamic=False)


def control_arguments(
    pipeline: Any, recipe: Recipe, depth: "torch.Tensor", drawing: "torch.Tensor | None"
) -> dict[str, Any]:
    """Return the arguments of a pipeline's call that steer it.

    Args:
        pipeline: of any kind.
        recipe: with the weights.
        depth: `(B, H, W)`, 0..1, near = 1.
        drawing: `(B, 3, H, W)`, 0..1, for a second ControlNet.

    Raises:
        WorkError: there is a second ControlNet but no drawing for it, or the other way round.
    """
    nets = controlnets(pipeline)
    if (drawing is not None) != (len(nets) == 2):
        raise WorkError(
            f"the pipeline has {len(nets)} ControlNets, but drawings of landmarks are "
            f"{'given' if drawing is not None else 'missing'}; give a drawing for each picture if "
            "and only if there is a second ControlNet"
        )
    if not nets:
        return {"depth_map": depth}
    height, width = depth.shape[-2:]
    pictures = [depth[:, None].expand(-1, 3, -1, -1)]  # (B, 3, H, W)
    scales = [recipe.conditioning_scale]
    if drawing is not None:
        pictures.append(drawing)
        scales.append(1.0 if recipe.landmarks_scale is None else recipe.landmarks_scale)
    single = len(nets) == 1
    return {
        "control_image": pictures[0] if single else pictures,
        "controlnet_conditioning_scale": scales[0] if single else scales,
        "height": height,
        "width": width,
    }
