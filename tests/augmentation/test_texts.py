import pytest
import torch

from aacsfnet.augmentation.bundled import build_pipeline
from aacsfnet.augmentation.texts import count_tokens, encode_text, to_length


@pytest.fixture(scope="module")
def pipeline():
    return build_pipeline(seed=0)


def test_a_text_that_fits_is_encoded_as_diffusers_does(pipeline):
    text = "strongly lowered brows, closed eyes, face of a woman"
    expected, _ = pipeline.encode_prompt(text, "cpu", 1, False)
    got = encode_text(pipeline.tokenizer, pipeline.text_encoder, text)
    torch.testing.assert_close(got, expected)


def test_a_long_text_reaches_the_encoder_whole(pipeline):
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder
    text = ", ".join(["strongly lowered brows", "raised cheeks", "parted lips"] * 20)
    got = encode_text(tokenizer, encoder, text)
    words = tokenizer(text, add_special_tokens=False).input_ids
    assert count_tokens(tokenizer, text) == len(words) == 199  # 140 words and 59 commas
    assert got.shape == (1, 3 * 77, 96)
    # An independent pass: each piece of 75 by itself, through the tokenizer's own padding.
    for number in range(3):
        piece = words[75 * number : 75 * number + 75]
        ids = [tokenizer.bos_token_id, *piece, tokenizer.eos_token_id]
        ids = tokenizer.pad({"input_ids": ids}, padding="max_length", max_length=77)["input_ids"]
        alone = encoder(input_ids=torch.tensor([ids])).last_hidden_state
        torch.testing.assert_close(got[:, 77 * number : 77 * number + 77], alone)


def test_texts_of_a_batch_get_one_length(pipeline):
    short = encode_text(pipeline.tokenizer, pipeline.text_encoder, "closed eyes")
    empty = encode_text(pipeline.tokenizer, pipeline.text_encoder, "")
    longer = to_length(short, empty, 3 * 77)
    assert longer.shape == (1, 231, 96)
    torch.testing.assert_close(longer[:, :77], short)
    torch.testing.assert_close(longer[:, 154:], empty)
