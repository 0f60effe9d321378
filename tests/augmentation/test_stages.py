"""The four stages one after the other on a small shard, with the bundled generator."""

import io
import json

import numpy as np
import pytest

from aacsfnet import tables


@pytest.fixture
def made(run_shard, settings):
    return run_shard(settings(generate={"steps": 4, "batch": 3}))


def test_every_frame_survives_every_stage(made):
    for stage in ("depth", "prompts", "generate", "quality"):
        assert made[stage]["frame_id"].n_unique() == 5, stage
        last = made[stage].row(-1, named=True)
        assert (last["status"], last["reason"]) == ("no_face", "no face was found")


def test_depth_maps_are_16_bit_and_of_the_crops_size(made):
    picture = tables.decode_png(made["depth"]["image"][0])
    assert picture.shape == (128, 128)
    assert picture.dtype == np.uint16
    assert picture.max() == 65535
    assert picture[0, 0] == 0


def test_prompts_fit_and_tell_the_label(made):
    rows = made["prompts"].filter(status="ok").rows(named=True)
    assert all(0 < row["tokens"] <= 77 for row in rows)
    assert "no expression of pain" in rows[0]["prompt"]
    assert "strong expression of pain" in rows[3]["prompt"]
    assert "lowered brows" in rows[3]["prompt"]
    assert len({row["seed"] for row in rows}) == len(rows)


def test_pictures_are_marked_and_have_a_recipe(made):
    from PIL import Image

    made = made["generate"].filter(status="ok").rows(named=True)
    assert len(made) == 4
    for row in made:
        recipe = json.loads(row["recipe"])
        assert recipe["seed"] == row["seed"]
        assert recipe["steps"] == 4
        assert len(recipe["model"]["sha256"]) == 64
        file = Image.open(io.BytesIO(row["image"]["bytes"]))
        file.load()
        assert file.text["synthetic"] == "true"
        assert len(file.text["aacsfnet-recipe"]) == 16
        assert "s1" not in "".join(file.text.values())


def test_the_gate_gives_scores_or_says_that_no_face_is_there(made):
    for row in made["quality"].rows(named=True)[:4]:
        assert row["status"] in ("ok", "rejected")
        assert (row["status"] == "ok") == (row["reason"] == "")
        assert (row["landmark_error"] is None) == ("no face found" in row["reason"])


def test_the_same_settings_give_the_same_pictures(run_shard, settings, made):
    again = run_shard(settings(generate={"steps": 4, "batch": 3}), "generate")["generate"]
    assert again["image"].to_list() == made["generate"]["image"].to_list()
