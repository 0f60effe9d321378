import pytest
import torch

from aacsfnet.augmentation.diffusion.texts import count_tokens, encode_texts, to_length
from tests.augmentation.tiny import tiny_sdxl
from tools.miniature.architecture import build_pipeline

LONG = ", ".join(["strongly lowered brows", "raised cheeks", "parted lips"] * 20)


@pytest.fixture(scope="module")
def pipeline():
    return build_pipeline(seed=0)


@pytest.fixture(scope="module")
def two_encoders():
    return tiny_sdxl()


def pieces(tokenizer, text):
    """Each piece of 75 tokens by itself, through the tokenizer's own padding."""
    words = tokenizer(text, add_special_tokens=False).input_ids
    rows = []
    for at in range(0, len(words), 75):
        ids = [tokenizer.bos_token_id, *words[at : at + 75], tokenizer.eos_token_id]
        ids = tokenizer.pad({"input_ids": ids}, padding="max_length", max_length=77)["input_ids"]
        rows.append(torch.tensor([ids]))
    return rows


def test_a_text_that_fits_is_encoded_as_diffusers_does(pipeline):
    text = "strongly lowered brows, closed eyes, face of a woman"
    expected, _ = pipeline.encode_prompt(text, "cpu", 1, False)
    torch.testing.assert_close(encode_texts(pipeline, [text])[text].tokens, expected[0])


def test_a_long_text_reaches_the_encoder_whole(pipeline):
    got = encode_texts(pipeline, [LONG])[LONG].tokens
    assert count_tokens(pipeline.tokenizer, LONG) == 199  # 140 words and 59 commas
    assert got.shape == (3 * 77, 96)
    for number, ids in enumerate(pieces(pipeline.tokenizer, LONG)):
        alone = pipeline.text_encoder(input_ids=ids).last_hidden_state[0]
        torch.testing.assert_close(got[77 * number : 77 * number + 77], alone)


def test_more_texts_than_one_pass_holds_stay_apart(pipeline):
    texts = [f"closed eyes, face of a {'young ' * number}woman" for number in range(40)]
    together = encode_texts(pipeline, texts)
    for text in texts[::7]:
        expected, _ = pipeline.encode_prompt(text, "cpu", 1, False)
        torch.testing.assert_close(together[text].tokens[:77], expected[0])


def test_two_encoders_read_a_text_that_fits_as_diffusers_has_them(two_encoders):
    text = "strongly lowered brows, closed eyes, face of a woman"
    tokens, _, pooled, _ = two_encoders.encode_prompt(text, device="cpu")
    got = encode_texts(two_encoders, [text])[text]
    torch.testing.assert_close(got.tokens, tokens[0])
    torch.testing.assert_close(got.pooled, pooled[0])


def test_a_long_text_reaches_both_encoders_whole(two_encoders):
    pipeline = two_encoders
    got = encode_texts(pipeline, [LONG, "closed eyes"])[LONG]
    assert got.tokens.shape == (3 * 77, 32 + 48)
    pairs = (
        (pipeline.tokenizer, pipeline.text_encoder),
        (
            pipeline.tokenizer_2,
            pipeline.text_encoder_2,
        ),
    )
    rows = [pieces(tokenizer, LONG) for tokenizer, _ in pairs]
    for number in range(3):
        alone = [
            encoder(input_ids=row[number], output_hidden_states=True).hidden_states[-2][0]
            for (_, encoder), row in zip(pairs, rows, strict=True)
        ]
        torch.testing.assert_close(got.tokens[77 * number : 77 * number + 77], torch.cat(alone, -1))
    first = pipeline.text_encoder_2(input_ids=rows[1][0]).text_embeds[0]
    torch.testing.assert_close(got.pooled, first)


def test_texts_of_a_batch_get_one_length(pipeline):
    encoded = encode_texts(pipeline, ["closed eyes", ""])
    short, empty = encoded["closed eyes"].tokens, encoded[""].tokens
    longer = to_length(short, empty, 3 * 77)
    assert longer.shape == (231, 96)
    torch.testing.assert_close(longer[:77], short)
    torch.testing.assert_close(longer[154:], empty)
