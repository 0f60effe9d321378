import pytest

from aacsfnet.errors import ModelFileError, SettingsError


def texts(run_shard, settings, **keys):
    config = settings(prompts={"neutral_share": 1.0} | keys)
    return run_shard(config, "prompts")["prompts"].filter(status="ok").rows(named=True)


def test_phrases_that_have_no_room_are_left_out_and_named(run_shard, settings):
    roomy = texts(run_shard, settings)[3]
    tight = texts(run_shard, settings, max_tokens=roomy["tokens"] - 1)[3]
    assert roomy["left_out"] == ""
    assert tight["left_out"]
    assert tight["tokens"] < roomy["tokens"]
    for phrase in tight["left_out"].split("; "):
        assert phrase in roomy["prompt"]
        assert phrase not in tight["prompt"]


def test_a_longer_prompt_can_be_kept_whole_for_chunks(run_shard, settings):
    template = "{anatomy}, {level}, " + ", ".join(["light from the side"] * 30)
    long = texts(run_shard, settings, template=template, overflow="chunk")[3]
    assert long["tokens"] > 77
    assert long["left_out"] == ""


def test_a_longer_prompt_can_be_refused(run_shard, settings):
    roomy = texts(run_shard, settings)[3]
    with pytest.raises(SettingsError, match=r"the prompt of s1/a/000\d has .* is refuse"):
        texts(run_shard, settings, max_tokens=roomy["tokens"] - 1, overflow="refuse")


def test_a_long_negative_prompt_is_refused_unless_chunked(run_shard, settings):
    long = "blurred, " * 90
    with pytest.raises(SettingsError, match=r"prompts\.negative has"):
        texts(run_shard, settings, negative=long)
    assert texts(run_shard, settings, negative=long, overflow="chunk")


def test_a_model_without_tokenizer_is_named(run_shard, settings):
    with pytest.raises(ModelFileError, match=r"generate\.model = '/nowhere'"):
        run_shard(settings(generate={"model": "/nowhere"}), "prompts")


def test_frames_without_a_picture_keep_one_row(run_shard, settings):
    rows = run_shard(settings(prompts={"neutral_share": 0.0}), "prompts")["prompts"]
    assert rows["status"].to_list() == ["not_selected", "not_selected", "ok", "ok", "no_face"]
    assert rows["variant"].to_list() == [None, None, 0, 0, None]


def test_coded_units_go_before_the_geometry(run_shard, settings):
    coded, uncoded = (texts(run_shard, settings)[number]["prompt"] for number in (3, 2))
    assert "strongly lowered brows" in coded  # au4 4.5 of 5
    assert "lips" not in coded.split("face of")[0]  # coded as closed, whatever the mesh says
    assert "lowered brows" not in uncoded
