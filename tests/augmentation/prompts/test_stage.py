import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.augmentation.plan.pictures import Picture
from aacsfnet.augmentation.prompts.stage import texts_of, token_counter
from aacsfnet.datasets import Label
from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.faces.geometry import measure_all
from aacsfnet.faces.pose import pose_of
from aacsfnet.facs import ACTION_UNITS, PSPI_UNITS
from aacsfnet.tables import KINDS


def texts(run_shard, settings, **keys):
    config = settings(prompts={"keep": {"neutral_share": 1.0}} | keys)
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
    rows = run_shard(settings(prompts={"keep": {"neutral_share": 0.0}}), "prompts")["prompts"]
    assert rows["status"].to_list() == ["not_selected", "not_selected", "ok", "ok", "no_face"]
    assert rows["variant"].to_list() == [None, None, 0, 0, None]


def test_nothing_is_made_from_a_frame_without_a_label_and_it_bears_on_no_other(
    run_shard, shard, settings
):
    config = settings(prompts={"keep": {"neutral_share": 1.0}})
    for stage in ("index", "crop", "landmarks"):
        rows = tables.read(shard[stage]).to_dicts()
        rows[2] |= {"status": "unlabelled", "reason": "the label is empty"}
        rows[2] |= {"label": None} if stage == "index" else {}
        tables.write(shard[stage], tables.frame(stage, rows), stage)
    found = run_shard(config, "prompts", "depth", "generate", "quality")
    without, others = pl.col("frame_id") == "s1/a/0002", pl.col("frame_id") != "s1/a/0002"
    for name, rows in found.items():
        (own,) = rows.filter(without).to_dicts()
        assert (own["status"], own["kind"], own["label"]) == ("unlabelled", None, None), name
    calibrated = tables.notes(shard["quality"])["calibration"]
    for stage in ("index", "crop", "landmarks"):
        tables.write(shard[stage], tables.read(shard[stage]).filter(others), stage)
    alone = run_shard(config, "prompts", "depth", "generate", "quality")
    for name, rows in found.items():
        kept = [column for column in rows.columns if column != "recipe"]
        assert rows.filter(others).select(kept).equals(alone[name].select(kept)), name
    assert tables.notes(shard["quality"])["calibration"] == calibrated


def test_nobody_elses_labels_decide_what_is_made_of_a_persons_frames(run_shard, shard, settings):
    config = settings(prompts={"keep": {"balance": 1.0, "neutral_share": 0.5}})
    alone = run_shard(config, "prompts")["prompts"]
    own = tables.read(shard["index"])
    random = np.random.default_rng(0)
    for _ in range(3):
        others = own.sample(200, with_replacement=True, seed=1).with_columns(
            subject=pl.lit("s2"),
            frame_id=pl.format("s2/a/{}", pl.int_range(200)),
            label=pl.Series(random.choice((0.0, 3.0, 9.0), 200, p=random.dirichlet((1, 1, 1)))),
        )
        tables.write(shard["index"], pl.concat([own, others]), "index")
        assert run_shard(config, "prompts")["prompts"].equals(alone)


def test_coded_units_go_before_the_geometry(run_shard, settings):
    coded, uncoded = (texts(run_shard, settings)[number]["prompt"] for number in (3, 2))
    assert "strongly lowered brows" in coded  # au4 4.5 of 5
    assert "lips" not in coded.split("face of")[0]  # coded as closed, whatever the mesh says
    assert "lowered brows" not in uncoded


@pytest.fixture(scope="module")
def tokenizer():
    from aacsfnet.augmentation.diffusion.model_files import load_tokenizer

    return load_tokenizer("bundled")


LONG = "{anatomy}, face of {subject}, {level}, {head}, natural light from the side, sharp, detailed"


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_prompt_is_above_the_limit_whatever_the_face(count, tokenizer, face_landmarks, settings):
    """Random landmarks, codes, labels and limits; the tokenizer itself counts, not our function."""
    random = np.random.default_rng(count)
    label = Label("pspi", 0.0, 16.0, "observed expression")
    counter = token_counter(tokenizer)
    scale = random.uniform(0, 12, (count, 1, 1))  # pixels: from faint to torn faces
    meshes = face_landmarks + scale * random.normal(size=(count, *face_landmarks.shape))
    measured, poses = measure_all(meshes), [pose_of(mesh) for mesh in meshes]
    usual = {name: float(value) for name, value in measure_all(face_landmarks).items()}
    longest = 0
    for number in range(count):
        face = {
            "frame_id": str(number),
            "measures": {name: float(values[number]) for name, values in measured.items()},
            "pose": poses[number],
            "label": random.choice((0.0, random.uniform(0, 16), 16.0)),
        }
        known = random.random(len(ACTION_UNITS)) < random.random()
        codes = random.uniform(0, 5, len(ACTION_UNITS))
        frame = {
            unit: float(code) if is_known else None
            for unit, code, is_known in zip(ACTION_UNITS, codes, known, strict=True)
        }
        frame |= {"sex": str(random.choice(("", "f", "m"))), "age_group": "middle-aged adult"}
        limit = int(random.integers(45, 78))
        strict, roomy = (
            settings(prompts={"template": LONG, "max_tokens": limit, "overflow": overflow})
            for overflow in ("drop", "chunk")
        )
        kind = KINDS[number % 3]
        codes_of_target = dict(zip(PSPI_UNITS, random.uniform(0, 5, 6), strict=True))
        picture = Picture(kind, 0, face["label"], codes_of_target, None)
        known_face = usual if number % 3 else None
        texts, whole = (
            texts_of(frame, face, picture, known_face, each, label, counter)
            for each in (strict, roomy)
        )
        tokens = len(tokenizer(texts["prompt"], truncation=False).input_ids)
        assert tokens == texts["tokens"] <= limit <= 77
        longest = max(longest, tokens)
        dropped = texts["left_out"].split("; ") if texts["left_out"] else []
        assert all(phrase in whole["prompt"] for phrase in dropped)
        assert (tokens < whole["tokens"]) == bool(dropped)
    assert longest > 65  # the run came near the limit


def cover(path, **visible):
    """Say in the landmarks table how much of the regions is seen."""
    rows = [
        row | {f"visible_{name}": value for name, value in visible.items()}
        for row in tables.read(path).rows(named=True)
    ]
    tables.write(path, tables.frame("landmarks", rows), "landmarks")


def test_prompts_say_nothing_of_a_covered_region_though_it_is_coded(run_shard, shard, settings):
    assert "lowered brows" in texts(run_shard, settings)[3]["prompt"]
    cover(shard["landmarks"], brows=0.1, mouth=0.9)
    assert "lowered brows" not in texts(run_shard, settings)[3]["prompt"]
    cover(shard["landmarks"], brows=0.6)
    assert "lowered brows" in texts(run_shard, settings)[3]["prompt"]


@pytest.mark.parametrize("region", ["brows", "eyes", "nose", "mouth"])
def test_no_unit_is_given_to_a_covered_region(region, run_shard, shard, settings):
    config = settings(prompts={"level": {"pictures": 40, "max_variants": 20}})
    levels = pl.col("kind") == "level"
    before = run_shard(config, "prompts")["prompts"].filter(levels)
    assert set(before["status"]) == {"ok"}
    cover(shard["landmarks"], **{region: 0.2})
    after = run_shard(config, "prompts")["prompts"].filter(levels)
    assert after["image_id"].to_list() == before["image_id"].to_list()
    seen_on = {"brows": ["au4"], "eyes": ["au6", "au7", "au43"], "nose": ["au9"], "mouth": ["au10"]}
    for row in after.rows(named=True):
        needed = any(row["units"][u] != row["source_units"][u] for u in seen_on[region])
        assert (row["status"] == "not_selected") == needed
        assert (f"covered in the frame: {region}" in row["reason"]) == needed
    assert 0 < (after["status"] == "ok").sum() < len(after)
