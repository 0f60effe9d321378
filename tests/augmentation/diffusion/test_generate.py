"""The stage: what reaches the table, and what stops it, with small models of the user's own."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
import torch

from aacsfnet import tables
from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.errors import SettingsError, WorkError
from aacsfnet.facs import PSPI_UNITS
from tests.augmentation.tiny import tiny_depth_to_image, tiny_sd
from tools.miniature import architecture

QUICK = {"steps": 2, "batch": 4}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A model with its ControlNet inside, a depth-to-image one, and a ControlNet for drawings."""
    root = tmp_path_factory.mktemp("models")
    tiny_sd().save_pretrained(root / "sd", safe_serialization=True)
    tiny_depth_to_image().save_pretrained(root / "sd2-depth", safe_serialization=True)
    index = root / "sd2-depth" / "model_index.json"
    index.write_text(index.read_text().replace("DepthToImage", "StableDiffusionDepth2ImgPipeline"))
    torch.manual_seed(5)
    architecture._controlnet().save_pretrained(root / "drawn", safe_serialization=True)
    return root


def recipes(made):
    return [json.loads(row["recipe"]) for row in made.filter(status="ok").rows(named=True)]


def test_the_recipe_tells_every_value_in_force(run_shard, settings):
    made = run_shard(
        settings(generate={"preset": "fast", "batch": 4}), "prompts", "depth", "generate"
    )
    first = recipes(made["generate"])[0]
    told = {
        "preset": "fast",
        "steps": 8,
        "guidance_scale": 1.0,
        "strength": 0.5,
        "batch": 4,
        "conditioning_scale": 1.0,
        "landmarks_scale": None,
        "scheduler": "DDIMScheduler",
        "lora": None,
        "pipeline": "sd-controlnet",
        "compiled": False,
        "device": "cpu",
        "threads": str(torch.get_num_threads()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }
    assert {key: first[key] for key in told} == told


def test_a_second_control_draws_each_frames_landmarks(run_shard, settings, models, monkeypatch):
    seen = []
    do_pass = Generator._pass
    monkeypatch.setattr(
        Generator,
        "_pass",
        lambda self, todo: seen.extend(t.drawing for t in todo) or do_pass(self, todo),
    )
    plain = run_shard(settings(generate=QUICK), "prompts", "depth", "generate")["generate"]
    assert seen == [None] * 4
    seen.clear()
    key = {"landmarks_controlnet": str(models / "drawn"), "landmarks_scale": 0.6}
    steered = run_shard(settings(generate=QUICK | key), "generate")["generate"]
    assert {drawing.shape for drawing in seen} == {(128, 128, 3)}
    assert all(drawing.any() for drawing in seen)
    assert steered["image"].to_list() != plain["image"].to_list()
    assert {recipe["landmarks_scale"] for recipe in recipes(steered)} == {0.6}
    assert recipes(steered)[0]["model"]["name"].endswith("+ drawn")


def test_a_depth_to_image_folder_runs_as_it_is(run_shard, settings, models):
    keys = QUICK | {"model": str(models / "sd2-depth")}
    made = run_shard(settings(generate=keys), "prompts", "depth", "generate")["generate"]
    assert [recipe["pipeline"] for recipe in recipes(made)] == ["sd-depth2img"] * 4
    assert recipes(made)[0]["conditioning_scale"] is None
    with pytest.raises(SettingsError, match=r"conditioning_scale = 1\.0: a depth2img model"):
        run_shard(settings(generate=keys | {"conditioning_scale": 1.0}), "generate")


def test_a_safety_checkers_score_is_written_down_and_drops_nothing(
    run_shard, settings, monkeypatch
):
    from aacsfnet.augmentation.diffusion import safety

    facts = {"name": "strict", "sha256": "0" * 64}

    class Strict:
        def __init__(self, folder):
            assert folder == "/models/checker"
            self.facts = facts

        def to(self, device):
            return self

        def scores(self, pictures):
            return [0.5 + number for number, _ in enumerate(pictures)]

    plain = run_shard(settings(generate=QUICK), "prompts", "depth", "generate")["generate"]
    assert plain["safety_score"].null_count() == 5
    monkeypatch.setattr(safety, "SafetyChecker", Strict)
    keys = QUICK | {"safety_checker": "/models/checker"}
    made = run_shard(settings(generate=keys), "generate")["generate"]
    assert made["safety_score"].to_list() == [0.5, 1.5, 2.5, 3.5, None]
    assert made["status"].to_list() == plain["status"].to_list()
    assert recipes(made)[0]["safety_checker"] == facts


def test_depth_maps_of_another_size_stop_the_stage_before_a_model_runs(
    run_shard, shard, settings, monkeypatch
):
    config = settings(generate=QUICK)
    run_shard(config, "prompts", "depth")
    rows = tables.read(shard["depth"]).rows(named=True)
    rows[2]["image"] = tables.encode_png(np.zeros((96, 96), np.uint16), "small.png")
    tables.write(shard["depth"], tables.frame("depth", rows), "depth")
    monkeypatch.setattr(Generator, "_pass", lambda *_: pytest.fail("a pass was made"))
    with pytest.raises(WorkError, match="96 x 96, 128 x 128 pixels; expected one size"):
        run_shard(config, "generate")


def test_variants_share_their_sources_latents(run_shard, settings, monkeypatch):
    from aacsfnet.augmentation.diffusion.latents import SourceLatents

    encoded = []
    encode = SourceLatents._encode
    monkeypatch.setattr(
        SourceLatents,
        "_encode",
        lambda self, pictures, batch: encoded.extend(pictures) or encode(self, pictures, batch),
    )
    plan = {"prompts": {"keep": {"neutral_share": 1.0, "variants": 3}}}
    made = run_shard(settings(generate=QUICK, **plan), "prompts", "depth", "generate")["generate"]
    assert made["status"].to_list().count("ok") == 12
    assert len(encoded) == 1  # the four frames of this shard show one picture


def test_each_kind_of_picture_is_made_with_its_own_strength(run_shard, settings):
    plan = {
        "prompts": {
            "keep": {"variants": 1, "neutral_share": 0.0},
            "person": {"variants": 1, "neutral_share": 0.0},
            "level": {"pictures": 1, "levels": [6, 12], "max_variants": 1},
        }
    }
    config = settings(generate=QUICK | {"steps": 5, "batch": 3}, **plan)
    made = run_shard(config, "prompts", "depth", "generate")["generate"].filter(status="ok")
    told = {recipe["kind"]: recipe for recipe in recipes(made)}
    # A level's 0.15 of five steps would be none, so it is one.
    assert {kind: recipe["strength"] for kind, recipe in told.items()} == pytest.approx(
        {"keep": 0.5, "level": 0.2, "person": 1.0}
    )
    assert told["level"]["label"] in (6.0, 12.0)
    assert told["level"]["source_units"] == dict.fromkeys(PSPI_UNITS, 0.0)
    levels = made.filter(kind="level")
    assert set(levels["frame_id"]) <= {"s1/a/0000", "s1/a/0001"}  # those without pain
    assert (levels["warp"] > 0.02).all()
    assert made.filter(pl.col("kind") != "level")["warp"].null_count() == 4
    # A person's picture comes from noise, a level's stays with its source.
    moved = {
        kind: np.mean([_difference(row, made) for row in made.filter(kind=kind).rows(named=True)])
        for kind in ("level", "person")
    }
    assert moved["level"] < moved["person"]


def _difference(row, made):
    from aacsfnet.augmentation.gate.resemblance import difference

    others = made.filter(pl.col("kind") == "keep")
    first = tables.decode_png(others["image"][0])
    return difference(tables.decode_png(row["image"]), first)


@pytest.mark.slow
def test_a_job_killed_after_40_of_100_goes_on_and_equals_an_uninterrupted_one(
    run_shard, shard, settings, models
):
    config = settings(
        prompts={"keep": {"neutral_share": 1.0, "variants": 25}},
        generate={"model": str(models / "sd"), "steps": 4, "batch": 8, "scheduler": "model"},
    )
    run_shard(config, "prompts", "depth")
    command = [sys.executable, "-m", "aacsfnet", "generate", "--config", config.model_dump_json()]
    for name in ("crop", "landmarks", "prompts", "depth"):
        command += [f"--{name}", str(shard[name])]
    command += ["--output", str(shard["generate"])]
    kept = shard["generate"].parent
    job = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while len(list(kept.glob(".generate.unfinished-*/0*.parquet"))) < 5:
        assert job.poll() is None
        time.sleep(0.01)
    os.kill(job.pid, signal.SIGKILL)
    job.wait()
    finished = len(list(kept.glob(".generate.unfinished-*/0*.parquet")))
    assert 5 <= finished < 13
    assert not shard["generate"].exists()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    resumed = tables.read(shard["generate"])
    assert resumed["status"].to_list().count("ok") == 100
    shard["generate"].unlink()
    subprocess.run(command, check=True, capture_output=True)
    assert resumed.equals(tables.read(shard["generate"]))


def test_no_stage_of_generation_opens_a_connection(run_shard, settings, monkeypatch):
    import socket

    def refuse(*arguments):
        pytest.fail(f"something asked for the network: {arguments[-1]}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    made = run_shard(settings(generate=QUICK))
    assert made["quality"].height == 5


def test_progress_tells_rate_and_time_left(run_shard, settings, monkeypatch, caplog):
    from aacsfnet.augmentation.diffusion import generate

    monkeypatch.setattr(generate, "_REPORT_SECONDS", 0)
    with caplog.at_level("INFO", logger="aacsfnet"):
        run_shard(settings(generate=QUICK | {"batch": 2}), "prompts", "depth", "generate")
    told = [record.getMessage() for record in caplog.records if "pictures," in record.getMessage()]
    assert [line.split(",")[0] for line in told] == ["2 of 4 pictures", "4 of 4 pictures"]
    assert all(re.search(r"\d+\.\d a second, \d+ s to go$", line) for line in told)
    assert told[-1].endswith(" 0 s to go")
