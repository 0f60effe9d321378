import pytest
from hypothesis import given
from hypothesis import strategies as st

from aacsfnet.augmentation.prompts import words
from aacsfnet.config import Prompts
from aacsfnet.errors import SettingsError
from tools.miniature.architecture import build_tokenizer


@pytest.fixture(scope="module")
def count():
    tokenizer = build_tokenizer()
    return lambda text: len(tokenizer(text).input_ids)


def test_stronger_movements_come_first():
    phrases = words.unit_phrases({"au4": 1.0, "au9": 5.0, "au10": 3.0})
    assert [phrase.text for phrase in phrases] == [
        "strongly wrinkled nose",
        "raised upper lip",
        "slightly lowered brows",
    ]


def test_a_unit_of_pain_comes_before_another_of_the_same_intensity():
    first, second = words.unit_phrases({"au12": 4.0, "au10": 4.0})
    assert (first.text, second.text) == ("strongly raised upper lip", "strongly lifted lip corners")


@pytest.mark.parametrize(
    ("label", "word"), [(0, "no expression"), (1, "slight"), (5, "clear"), (16, "strong")]
)
def test_levels_of_pspi(label, word):
    assert word in words.level_words(label, 0, 16)


def test_levels_follow_the_labels_range():
    assert words.level_words(4, 0, 4) == words.level_words(16, 0, 16)
    assert words.level_words(-3, -3, 3) == words.level_words(0, 0, 16)


def test_what_does_not_fit_is_left_out_least_important_first(count):
    phrases = [words.Phrase("closed eyes", 1.0), words.Phrase("parted lips", 0.1)]
    phrases.insert(1, words.Phrase("raised cheeks", 0.5))
    full = "closed eyes, raised cheeks, parted lips, face"
    template = "{anatomy}, face"
    assert words.fit(template, {}, phrases, count, count(full)) == (full, [])
    shorter, left_out = words.fit(template, {}, phrases, count, count(full) - 1)
    assert (shorter, left_out) == ("closed eyes, raised cheeks, face", ["parted lips"])
    shortest, left_out = words.fit(template, {}, phrases, count, count("face"))
    assert (shortest, left_out) == ("face", ["parted lips", "raised cheeks", "closed eyes"])


def test_a_template_that_does_not_fit_by_itself_is_an_error(count):
    with pytest.raises(SettingsError, match=r"prompts\.max_tokens is 8; shorten the template"):
        words.fit("a face of a person in the light, {anatomy}", {}, [], count, 8)


def test_an_unknown_name_in_a_template_is_an_error():
    with pytest.raises(SettingsError, match=r"unknown \{mood\}; expected \{anatomy\}"):
        words.fill("{anatomy}, {mood}", {"anatomy": ""})


units = st.fixed_dictionaries({name: st.none() | st.floats(0, 5) for name in words.UNIT_WORDS})


@given(units, st.floats(0, 16), st.sampled_from(["f", "m", ""]), st.floats(-90, 90))
def test_no_prompt_is_above_the_limit(count, intensities, label, sex, angle):
    known = {
        "subject": words.subject_words(sex, "middle-aged adult"),
        "level": words.level_words(label, 0, 16),
        "head": words.head_words(angle, -angle, 0),
    }
    for limit in (40, 77):
        prompt, _ = words.fit(
            Prompts().template, known, words.unit_phrases(intensities), count, limit
        )
        assert count(prompt) <= limit
        assert known["level"] in prompt


def test_every_word_of_our_own_is_one_token():
    tokenizer = build_tokenizer()
    for text in (*words.UNIT_WORDS.values(), *(text for _, text in words.LEVEL_WORDS)):
        assert len(tokenizer(text, add_special_tokens=False).input_ids) == len(text.split())


def test_any_text_can_be_encoded():
    tokenizer = build_tokenizer()
    assert (
        tokenizer.unk_token_id not in tokenizer("Žlutý 微 42 %", add_special_tokens=False).input_ids
    )
