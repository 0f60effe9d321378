"""Words for a face: what its action units, its geometry, its head and its label say.

Everything that a prompt may hold comes from here, so the bundled model's tokenizer can learn the
whole vocabulary beforehand.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from aacsfnet.errors import SettingsError
from aacsfnet.facs import HIGHEST, PSPI_UNITS

#: What each action unit does to a face, most telling for pain first. PSPI counts the first six.
UNIT_WORDS = {
    "au43": "closed eyes",
    "au4": "lowered brows",
    "au9": "wrinkled nose",
    "au10": "raised upper lip",
    "au6": "raised cheeks",
    "au7": "tightened lids",
    "au26": "dropped jaw",
    "au25": "parted lips",
    "au20": "stretched lips",
    "au12": "lifted lip corners",
}

_OTHER_UNITS_WEIGHT = 0.5

#: Words for the label, by the share of its range that it reaches.
LEVEL_WORDS = (
    (0.0, "no expression of pain"),
    (0.2, "a slight expression of pain"),
    (0.45, "a clear expression of pain"),
    (1.0, "a strong expression of pain"),
)
SEX_WORDS = {"f": "a woman", "m": "a man", "": "a person"}
#: What another face may be, where it shall not be the frame's own.
AGE_WORDS = ("young adult", "middle-aged adult", "older adult")
SKIN_WORDS = ("light skin", "dark skin")

_TURNED_DEGREES = 10.0


@dataclass(frozen=True)
class Phrase:
    """A few words and how much they matter, 0 to 1."""

    text: str
    weight: float


def unit_phrases(units: Mapping[str, float | None]) -> list[Phrase]:
    """Return a phrase for each active action unit; units that are unknown (None) give none.

    Args:
        units: intensity 0-5 by name (`au43`: 0 or 1).

    >>> units = {"au4": 4.0, "au43": 1.0, "au12": 1.0, "au6": None}
    >>> [phrase.text for phrase in unit_phrases(units)]
    ['closed eyes', 'strongly lowered brows', 'slightly lifted lip corners']
    """
    phrases = []
    for name, words in UNIT_WORDS.items():
        intensity = units.get(name)
        if intensity is None or not intensity > 0:
            continue
        share = min(intensity / HIGHEST[name], 1.0)
        weight = share if name in PSPI_UNITS else share * _OTHER_UNITS_WEIGHT
        adverb = "" if HIGHEST[name] == 1 else _adverb(share)  # there or not
        phrases.append(Phrase(adverb + words, weight))
    return sorted(phrases, key=lambda phrase: -phrase.weight)


def _adverb(share: float) -> str:
    return "slightly " if share < 0.3 else "strongly " if share > 0.7 else ""


def level_words(label: float, low: float, high: float) -> str:
    """Return words for a label within its range.

    >>> level_words(0, 0, 16), level_words(3, 0, 16)
    ('no expression of pain', 'a slight expression of pain')
    """
    share = (label - low) / (high - low)
    return next((words for bound, words in LEVEL_WORDS if share <= bound), LEVEL_WORDS[-1][1])


def subject_words(sex: str, age_group: str) -> str:
    """Return words for the person, e.g. 'a woman, middle aged'.

    >>> subject_words("f", ""), subject_words("", "over 60")
    ('a woman', 'a person, over 60')
    """
    who = SEX_WORDS.get(sex, SEX_WORDS[""])
    return f"{who}, {age_group}" if age_group else who


def other_subject_words(sex: str, age_group: str, seed: int) -> str:
    """Return words for somebody else: of the other sex where that is known, another age, a skin.

    Args:
        sex: "f", "m" or "", of the person who is not meant.
        age_group: likewise, in words.
        seed: decides what is left open.

    >>> other_subject_words("f", "older adult", 1)
    'a man, middle-aged adult, light skin'
    """
    sexes = [words for key, words in SEX_WORDS.items() if key and key != sex]
    ages = [words for words in AGE_WORDS if words != age_group]
    choices = (sexes, ages, SKIN_WORDS)
    picked = []
    for words in choices:
        seed, place = divmod(seed, len(words))
        picked.append(words[place])
    return ", ".join(picked)


def head_words(yaw: float, pitch: float, roll: float) -> str:
    """Return words for the head's turn, as the viewer sees it; empty when it faces the camera.

    Args:
        yaw: degrees, positive when the nose points to the picture's right.
        pitch: degrees, positive when the nose rises.
        roll: degrees; crops are level, so it says nothing.
    """
    words = []
    if abs(yaw) >= _TURNED_DEGREES:
        words.append("right" if yaw > 0 else "left")
    if abs(pitch) >= _TURNED_DEGREES:
        words.append("up" if pitch > 0 else "down")
    return f"looking {' and '.join(words)}" if words else ""


def fill(template: str, words: Mapping[str, str]) -> str:
    """Return a template with its `{names}` replaced; what an empty one leaves behind is tidied.

    >>> fill("{anatomy}, face of {subject}", {"anatomy": "", "subject": "a man"})
    'face of a man'

    Raises:
        SettingsError: the template names something that there are no words for.
    """
    unknown = set(re.findall(r"{(.*?)}", template)) - set(words)
    if unknown:
        raise SettingsError(
            f"prompts.template = {template!r}: unknown {{{sorted(unknown)[0]}}}; "
            f"expected {', '.join('{' + name + '}' for name in words)}"
        )
    text = re.sub(r"{(.*?)}", lambda match: words[match[1]], template)
    parts = (" ".join(part.split()) for part in text.split(","))
    return ", ".join(part for part in parts if part)


def fit(
    template: str,
    words: Mapping[str, str],
    phrases: Iterable[Phrase],
    count: Callable[[str], int],
    limit: int | None,
) -> tuple[str, list[str]]:
    """Return the longest prompt within the limit and the phrases left out, least important first.

    Args:
        template: with `{anatomy}` for the phrases and the names in `words`.
        words: essential parts by name.
        phrases: of the anatomy; the least weighty is left out first.
        count: tokens of a text as the text encoder sees them, start and end token counted.
        limit: most tokens; None when there is no limit.

    Raises:
        SettingsError: not even the essential part fits.
    """
    kept = sorted(phrases, key=lambda phrase: -phrase.weight)
    left_out: list[str] = []
    while True:
        anatomy = ", ".join(phrase.text for phrase in kept)
        prompt = fill(template, {"anatomy": anatomy, **words})
        tokens = count(prompt)
        if limit is None or tokens <= limit:
            return prompt, left_out
        if not kept:
            raise SettingsError(
                f"prompts.template = {template!r}: its fixed part has {tokens} tokens and "
                f"prompts.max_tokens is {limit}; shorten the template: {prompt!r}"
            )
        left_out.append(kept.pop().text)
