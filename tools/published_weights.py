"""The published network's weights under the original's names, and back."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

#: Original name -> ours, as patterns; the digits of layers are kept.
_NAMES = (
    (r"resnet50_modified\.0\.", "backbone.body.conv1."),
    (r"resnet50_modified\.1\.", "backbone.body.bn1."),
    *((rf"resnet50_modified\.{3 + n}\.", f"backbone.body.layer{n}.") for n in (1, 2, 3, 4)),
    (r"HAM\.channel_attention\.fc\.", "channel_gate."),
    (r"HAM\.spatial_attention\.conv1\.", "spatial_gate."),
    (r"HAM\.con_1_1\.", "narrow."),
    (r"HAM\.TransformerEncorder\.trans\.encoder\.", "context."),
    (r"DimReduction\.fc\.", "reduce."),
    (r"BiScaleCrossViT\.patch_embeds\.(\d)\.proj\.", r"scales.\1.embed."),
    (r"BiScaleCrossViT\.cls_tokens\.(\d)", r"scales.\1.class_token"),
    (r"BiScaleCrossViT\.pos_embeds\.(\d)", r"scales.\1.positions"),
    (r"BiScaleCrossViT\.blocks\.(\d)\.", r"scales.\1.blocks."),
    (r"BiScaleCrossViT\.cross_attn\.", "crossing."),
    (r"BiScaleCrossViT\.norm\.", "scale_norm."),
    (r"BiScaleCrossViT\.head\.", "join."),
    (r"TransformerEncorder_Fuse\.trans\.encoder\.", "fusion."),
    (r"fc\.", "head."),
)
#: Transformers of which the original uses the encoder only: prefix, width, heads.
_IDLE = (("HAM.TransformerEncorder", 49, 7), ("TransformerEncorder_Fuse", 16, 1))
#: Ours that the original has no name for: it normalises pictures before the network.
_OWN = ("pixel_mean", "pixel_deviation", "label_mean", "label_deviation")


def from_original(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the original's weights under the names of `Published`; idle ones are left out.

    The statistics of `Published` are not among them: load with `strict=False`, or add them.

    Raises:
        KeyError: a name that the original does not have.
    """
    idle = tuple(f"{prefix}.trans.decoder." for prefix, _, _ in _IDLE)
    return {_ours(name): value for name, value in weights.items() if not name.startswith(idle)}


def _ours(name: str) -> str:
    for pattern, ours in _NAMES:
        if re.match(pattern, name):
            return re.sub(f"^{pattern}", ours, name)
    raise KeyError(f"{name} is no weight of the published network")


def to_original(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of `Published` at 224 pixels under the original's names.

    The original's idle decoders, which nothing reads, are filled with zeros, so that it loads them
    strictly.

    Raises:
        KeyError: a name that `Published` does not have.
    """
    converted = {_original(name): value for name, value in weights.items() if name not in _OWN}
    for prefix, width, heads in _IDLE:
        with torch.device("meta"):
            layer = nn.TransformerDecoderLayer(width, heads)
            decoder = nn.TransformerDecoder(layer, 6, nn.LayerNorm(width))
        for name, value in decoder.state_dict().items():
            converted[f"{prefix}.trans.decoder.{name}"] = torch.zeros(value.shape)
    return converted


def _original(name: str) -> str:
    for pattern, ours in _NAMES:
        here = re.escape(ours).replace(r"\\1", r"(\d)")
        if found := re.match(here, name):
            digits = found.groups()
            original = pattern.replace(r"(\d)", digits[0] if digits else "").replace("\\", "")
            return original + name[found.end() :]
    raise KeyError(f"{name} is no weight of `Published`")
