import re

import numpy as np
import pytest

from aacsfnet.augmentation.prompts.published import coordinate_prompt, cut
from aacsfnet.landmark_sets import IBUG_68, MIRROR
from tools.miniature.tokenizer import END, START, learn_merges

SIZE = 128


@pytest.fixture(scope="module")
def tokenizer():
    """A CLIP tokenizer that knows every word of the prompt; digits and signs are tokens anyway."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    words = set(re.findall("[a-z]+", coordinate_prompt(np.zeros((478, 3)), SIZE).lower()))
    alphabet = sorted(ByteLevel.alphabet())
    merges = [*learn_merges(words, alphabet), (")", ":</w>")]
    tokens = [*alphabet, *(symbol + "</w>" for symbol in alphabet)]
    tokens += ["".join(pair) for pair in merges] + [START, END]
    numbers = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=numbers, merges=merges, model_max_length=77)


def test_the_points_are_those_of_the_scheme(face_landmarks):
    points = face_landmarks[list(IBUG_68)]
    assert len(set(IBUG_68)) == 68
    # The scheme runs along each part; in a mirror image, jaw and brows run the other way.
    for first, last in ((0, 16), (17, 26), (31, 35), (36, 45), (48, 54), (60, 64)):
        assert MIRROR[IBUG_68[first]] == IBUG_68[last]
    jaw, brows, mouth = points[:17], points[17:27], points[48:]
    assert (np.diff(jaw[1:, 0]) > 0).all()  # the temples may lie further in
    assert (np.diff(brows[:, 0]) > 0).all()
    assert brows[:, 1].max() < points[36:48, 1].min() < mouth[:, 1].min() < jaw[:, 1].max()


def test_the_prompt_holds_68_coordinates_as_shares_of_the_picture(face_landmarks):
    text = coordinate_prompt(face_landmarks, SIZE)
    found = np.array(re.findall(r"\(([\d.]+),([\d.]+)\)", text), float)
    np.testing.assert_allclose(found, face_landmarks[list(IBUG_68), :2] / SIZE, atol=5.1e-4)


def test_three_of_68_points_are_read(tokenizer, face_landmarks):
    text = coordinate_prompt(face_landmarks, SIZE)
    got = cut(text, tokenizer, 77)
    numbers = tokenizer(text, verbose=False).input_ids
    assert got.lost_tokens == len(numbers) - 77
    # "(0.345,0.678)" has 13 tokens; the words before take 31 with this vocabulary.
    assert len(numbers) == 2 + 31 + 68 * 13
    assert got.points == (75 - 31) // 13 == 3
    # What is read is what the truncating tokenizer keeps, to the token.
    kept = tokenizer(text, truncation=True, max_length=77).input_ids
    assert tokenizer(got.read).input_ids == kept
    assert (got.read + got.lost).replace(" ", "") == text.replace(" ", "")


def test_a_text_with_room_is_left_whole(tokenizer):
    assert cut("a picture", tokenizer, 77) == ("a picture", "", 0, 0)


def test_the_stage_records_what_was_lost(run_shard, settings):
    rows = run_shard(settings(prompts={"style": "published"}), "prompts")["prompts"]
    row = rows.filter(status="ok").row(0, named=True)
    assert row["tokens"] == 77
    assert row["left_out_tokens"] > 800
    assert row["left_out"].endswith(")")
    assert 0 <= row["points"] <= 3
    assert run_shard(settings(), "prompts")["prompts"]["points"].null_count() == len(rows)
