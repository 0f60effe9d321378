"""A CLIP tokenizer whose vocabulary is learnt from the words that prompts are made of."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from aacsfnet.augmentation.prompts import words

START, END = "<|startoftext|>", "<|endoftext|>"

#: Words that templates and negative prompts are likely to hold, besides those of `words`.
_OTHER_WORDS = (
    "photo of the a an face portrait person man woman young old middle aged years adult child"
    " over under in on with and or for at to from light dark bright side front looking left"
    " right up down blurred deformed blurry low quality high sharp natural detailed eyes mouth"
    " nose brows lips cheeks lids jaw closed open half wide narrow lowered raised drawn together"
    " slightly strongly no not expression pain neutral relaxed patient subject skin hair"
)


def vocabulary_words() -> list[str]:
    """Return every word that the bundled model's tokenizer holds as one token, sorted."""
    texts = [_OTHER_WORDS, *words.UNIT_WORDS.values(), *words.SEX_WORDS.values()]
    texts += [text for _, text in words.LEVEL_WORDS]
    return sorted({word for text in texts for word in text.replace(",", " ").split()})


def learn_merges(vocabulary: Iterable[str], alphabet: Iterable[str]) -> list[tuple[str, str]]:
    """Return byte-pair merges that make one token of every word, most frequent pair first.

    Ties are broken by the alphabet, so the same words always give the same merges.

    Args:
        vocabulary: words of lower-case ASCII letters.
        alphabet: symbols that exist without merging.

    >>> learn_merges(["ab", "abc"], "abc")
    [('a', 'b'), ('a', 'b</w>'), ('ab', 'c</w>')]
    """
    single = set(alphabet)
    spelt = [[*word[:-1], word[-1] + "</w>"] for word in vocabulary]
    if any(symbol.removesuffix("</w>") not in single for word in spelt for symbol in word):
        raise ValueError("a word holds a symbol that is not in the alphabet")
    merges: list[tuple[str, str]] = []
    while True:
        pairs = Counter(pair for word in spelt for pair in pairwise(word))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelt = [_merge(word, best) for word in spelt]


def _merge(word: list[str], pair: tuple[str, str]) -> list[str]:
    merged: list[str] = []
    for symbol in word:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def build_tokenizer() -> Any:
    """Return the bundled model's `transformers.CLIPTokenizer`, built without any file.

    Any text can be encoded: the 256 byte symbols and their word-final forms are tokens too.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    alphabet = sorted(ByteLevel.alphabet())
    merges = learn_merges(vocabulary_words(), alphabet)
    tokens = [*alphabet, *(symbol + "</w>" for symbol in alphabet)]
    tokens += ["".join(pair) for pair in merges] + [START, END]
    numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    # The annotation of `merges` says text; the tokenizers library wants pairs.
    return CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=77)  # type: ignore[arg-type]
