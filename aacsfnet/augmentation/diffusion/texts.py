"""Texts for the text encoders: counted, cut into chunks that they can hold, never cut short."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aacsfnet.augmentation.diffusion.pipelines import text_encoders

if TYPE_CHECKING:
    import torch

#: Chunks in one pass of a text encoder; always as many, since the last bits depend on the shape.
_ROWS = 16


@dataclass(frozen=True)
class Encoded:
    """What a U-Net reads of a text.

    Attributes:
        tokens: `(n, C)`, n a multiple of the encoder's length.
        pooled: `(P,)` for the whole text, where the model takes one (SDXL), else None.
    """

    tokens: "torch.Tensor"
    pooled: "torch.Tensor | None"


def count_tokens(tokenizer: Any, text: str) -> int:
    """Return a text's number of tokens without start and end token."""
    return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def chunks_of(tokens: list[int], room: int) -> list[list[int]]:
    """Return tokens in pieces of at most `room`; at least one piece.

    >>> chunks_of([1, 2, 3], 2), chunks_of([], 2)
    ([[1, 2], [3]], [[]])
    """
    return [tokens[at : at + room] for at in range(0, max(len(tokens), 1), room)]


def encode_texts(pipeline: Any, texts: list[str]) -> dict[str, Encoded]:
    """Return the embeddings of texts of any length.

    A text within the encoder's length (77 for CLIP, two of them start and end) is encoded as
    diffusers does it. A longer one is encoded in chunks, each with its own start and end, and the
    chunks' embeddings follow one another: cross-attention takes any number of tokens.

    SDXL reads the last layer but one of two encoders, side by side, and a pooled embedding of the
    second; of a text in chunks that of the first chunk, where the essential part stands.
    """
    import torch

    pairs = text_encoders(pipeline)
    rows = [[_rows(tokenizer, text) for text in texts] for tokenizer, _ in pairs]
    # Two tokenizers may cut a text into different numbers of chunks; the fewer get empty ones.
    counts = [max(len(chunks) for chunks in of_text) for of_text in zip(*rows, strict=True)]
    parts, pooled = [], None
    for (tokenizer, encoder), of_encoder in zip(pairs, rows, strict=True):
        (empty,) = _rows(tokenizer, "")
        filled = [
            row
            for chunks, count in zip(of_encoder, counts, strict=True)
            for row in chunks + [empty] * (count - len(chunks))
        ]
        hidden, pooled = _encode(encoder, filled, empty, last_but_one=len(pairs) > 1)
        parts.append(hidden)
    joined = torch.cat(parts, -1)  # (all chunks, length, C)
    encoded, at = {}, 0
    for text, count in zip(texts, counts, strict=True):
        encoded[text] = Encoded(
            joined[at : at + count].flatten(0, 1), None if pooled is None else pooled[at]
        )
        at += count
    return encoded


def _rows(tokenizer: Any, text: str) -> list[list[int]]:
    """Return a text's chunks as token numbers, each with start, end and padding."""
    length = tokenizer.model_max_length
    tokens = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
    rows = []
    for chunk in chunks_of(tokens, length - 2):
        filled = [tokenizer.bos_token_id, *chunk, tokenizer.eos_token_id]
        rows.append(filled + [tokenizer.pad_token_id] * (length - len(filled)))
    return rows


def _encode(
    encoder: Any, rows: list[list[int]], empty: list[int], last_but_one: bool
) -> "tuple[torch.Tensor, torch.Tensor | None]":
    """Return hidden states `(rows, length, C)`, and pooled ones `(rows, P)` if the encoder has any.

    Args:
        encoder: CLIP text model.
        rows: token numbers of the chunks.
        empty: those that fill up a pass.
        last_but_one: take that layer (SDXL) instead of the last with its normalisation.
    """
    import torch

    hidden, pooled = [], []
    for at in range(0, len(rows), _ROWS):
        part = rows[at : at + _ROWS]
        numbers = torch.tensor(part + [empty] * (_ROWS - len(part)), device=encoder.device)
        output = encoder(numbers, output_hidden_states=last_but_one)
        states = output.hidden_states[-2] if last_but_one else output[0]
        hidden.append(states[: len(part)])
        if last_but_one and output[0].ndim == 2:  # of an encoder with a projection
            pooled.append(output[0][: len(part)])
    return torch.cat(hidden), torch.cat(pooled) if pooled else None


def to_length(tokens: "torch.Tensor", empty: "torch.Tensor", length: int) -> "torch.Tensor":
    """Return an embedding `(n, C)` followed by that of the empty text up to `length`.

    A batch needs one length, though its texts may have different numbers of chunks.

    Args:
        tokens: `(n, C)`.
        empty: `(m, C)` of the empty text; `length - n` is a multiple of m.
        length: at least n.
    """
    import torch

    return torch.cat([tokens] + [empty] * ((length - len(tokens)) // len(empty)))
