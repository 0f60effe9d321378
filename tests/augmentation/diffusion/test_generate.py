"""The stage: what reaches the table, and what stops it, with small models of the user's own."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from aacsfnet import tables
from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.errors import SettingsError, WorkError
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
        settings(generate={"preset": "fast", "batch": 4}), "depth", "prompts", "generate"
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
    plain = run_shard(settings(generate=QUICK), "depth", "prompts", "generate")["generate"]
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
    made = run_shard(settings(generate=keys), "depth", "prompts", "generate")["generate"]
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

    plain = run_shard(settings(generate=QUICK), "depth", "prompts", "generate")["generate"]
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
    run_shard(config, "depth", "prompts")
    rows = tables.read(shard["depth"]).rows(named=True)
    rows[2]["image"] = tables.encode_png(np.zeros((96, 96), np.uint16), "small.png")
    tables.write(shard["depth"], tables.frame("depth", rows), "depth")
    monkeypatch.setattr(Generator, "_pass", lambda *_: pytest.fail("a pass was made"))
    with pytest.raises(WorkError, match="96 x 96, 128 x 128 pixels; expected one size"):
        run_shard(config, "generate")


def test_variants_share_their_sources_pictures(run_shard, settings, monkeypatch):
    from aacsfnet.augmentation.diffusion import sources

    read = []
    decode = sources.Sources._read
    monkeypatch.setattr(
        sources.Sources, "_read", lambda self, frame: read.append(frame) or decode(self, frame)
    )
    plan = {"prompts": {"neutral_share": 1.0, "variants": 3}}
    made = run_shard(settings(generate=QUICK, **plan), "depth", "prompts", "generate")["generate"]
    assert made["status"].to_list().count("ok") == 12
    assert sorted(read) == [f"s1/a/{number:04d}" for number in range(4)]


@pytest.mark.slow
def test_a_job_killed_after_40_of_100_goes_on_and_equals_an_uninterrupted_one(
    run_shard, shard, settings, models
):
    config = settings(
        prompts={"neutral_share": 1.0, "variants": 25},
        generate={"model": str(models / "sd"), "steps": 4, "batch": 8, "scheduler": "model"},
    )
    run_shard(config, "depth", "prompts")
    command = [sys.executable, "-m", "aacsfnet", "generate", "--config", config.model_dump_json()]
    for name in ("crop", "landmarks", "depth", "prompts"):
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
        run_shard(settings(generate=QUICK | {"batch": 2}), "depth", "prompts", "generate")
    told = [record.getMessage() for record in caplog.records if "pictures," in record.getMessage()]
    assert [line.split(",")[0] for line in told] == ["2 of 4 pictures", "4 of 4 pictures"]
    assert all(re.search(r"\d+\.\d a second, \d+ s to go$", line) for line in told)
    assert told[-1].endswith(" 0 s to go")
