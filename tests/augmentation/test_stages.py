"""The four stages one after the other on a small shard, with the bundled generator."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from aacsfnet import tables


@pytest.fixture
def made(run_shard, settings):
    return run_shard(settings(generate={"steps": 4, "batch": 3}))


def test_every_frame_survives_every_stage(made):
    for stage in ("prompts", "depth", "generate", "quality"):
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


def test_the_gate_refuses_the_bundled_generators_faces_of_a_photograph(made, face_picture):
    """It knows rendered faces only, so what it makes of a real one is blurred and another face."""
    source = face_picture.astype(float)
    pictures = dict(made["generate"].select("image_id", "image").iter_rows())
    for row in made["quality"].rows(named=True)[:4]:
        assert row["status"] == "rejected"
        assert f"landmark error {row['landmark_error']:.3f} > 0.04" in row["reason"]
        assert f"sharpness {row['sharpness']:.3f} < 0.2" in row["reason"]
        picture = Image.open(io.BytesIO(pictures[row["image_id"]]["bytes"]))
        apart = np.abs(np.asarray(picture, float) - source).mean() / 255
        assert row["source_difference"] == pytest.approx(apart, rel=1e-4)
        brightness = np.asarray(picture.convert("L"), float).mean() / 255
        assert row["brightness"] == pytest.approx(brightness, abs=2e-3)


def test_the_same_settings_give_the_same_pictures(run_shard, settings, made):
    again = run_shard(settings(generate={"steps": 4, "batch": 3}), "generate")["generate"]
    assert again["image"].to_list() == made["generate"]["image"].to_list()
