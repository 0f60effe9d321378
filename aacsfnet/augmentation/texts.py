"""Texts for the text encoder: counted, cut into chunks that it can hold, never cut short."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def count_tokens(tokenizer: Any, text: str) -> int:
    """Return a text's number of tokens without start and end token."""
    return len(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def chunks_of(tokens: list[int], room: int) -> list[list[int]]:
    """Return tokens in pieces of at most `room`; at least one piece.

    >>> chunks_of([1, 2, 3], 2), chunks_of([], 2)
    ([[1, 2], [3]], [[]])
    """
    return [tokens[at : at + room] for at in range(0, max(len(tokens), 1), room)]


def encode_text(tokenizer: Any, encoder: Any, text: str) -> "torch.Tensor":
    """Return the embedding `(1, chunks * length, C)` of a text of any length.

    A text within the encoder's length (77 for CLIP, two of them start and end) is encoded as
    diffusers does it. A longer one is encoded in chunks, each with its own start and end, and the
    chunks' embeddings follow one another: cross-attention takes any number of tokens.

    Args:
        tokenizer: of the pipeline.
        encoder: CLIP text model.
        text: to encode.
    """
    import torch

    length = tokenizer.model_max_length
    tokens = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
    rows = []
    for chunk in chunks_of(tokens, length - 2):
        filled = [tokenizer.bos_token_id, *chunk, tokenizer.eos_token_id]
        rows.append(filled + [tokenizer.pad_token_id] * (length - len(filled)))
    numbers = torch.tensor(rows, device=encoder.device)
    embedded: torch.Tensor = encoder(numbers)[0]  # (chunks, length, C)
    return embedded.reshape(1, -1, embedded.shape[-1])


def to_length(embedding: "torch.Tensor", empty: "torch.Tensor", length: int) -> "torch.Tensor":
    """Return an embedding `(1, n, C)` followed by that of the empty text up to `length`.

    A batch needs one length, though its texts may have different numbers of chunks.

    Args:
        embedding: `(1, n, C)`.
        empty: `(1, m, C)` of the empty text; `length - n` is a multiple of m.
        length: at least n.
    """
    import torch

    return torch.cat([embedding] + [empty] * ((length - embedding.shape[1]) // empty.shape[1]), 1)
