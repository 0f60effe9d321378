"""What the doctor says of small data sets whose faults are known."""

import re

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from aacsfnet import doctor
from aacsfnet.config import validate
from aacsfnet.datasets import Label
from aacsfnet.doctor import Finding, diagnose, estimates, rehearsal, render
from aacsfnet.doctor.rehearsal import Rehearsal
from aacsfnet.facs import PSPI_UNITS
from aacsfnet.models.network import AACSFNet
from aacsfnet.models.published import Published

PSPI = Label("pspi", 0.0, 16.0, "observed expression")
NONE = {"pictures": 0}
REHEARSAL = Rehearsal(
    {"ok": 3, "no_face": 1},
    {"no_face": "no face was found"},
    {"crop": 0.02, "landmarks": 0.01, "depth": 0.01},
    {"crop": 30_000, "landmarks": 8_000, "depth": 9_000},
)


@pytest.fixture
def quick(monkeypatch):
    """Leave rehearsal and models out: they take seconds and have tests of their own."""
    monkeypatch.setattr(doctor.outlook, "rehearse", lambda config, rows: REHEARSAL)
    monkeypatch.setattr(doctor.outlook, "training_seconds", lambda settings, side: 0.01)
    monkeypatch.setattr(doctor, "look_at_models", lambda config: iter(()))


def manifest(folder, text, pictures=(), **settings):
    (folder / "manifest.csv").write_text(text)
    for seed, name in enumerate(pictures):
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    index = {"manifest": {"file": str(folder / "manifest.csv")}}
    return validate({"dataset": "manifest", "index": index, "results": str(folder)} | settings)


def about(findings, words):
    return [finding for finding in findings if words in f"{finding.about} {finding.message}"]


SMALL = {"merge": {"folds": 2, "validation_subjects": 1}}


def study(folder, extra="", **settings):
    names = [f"{subject}{i}.png" for subject in "abcd" for i in range(3)]
    lines = [f"{name},{name[0]},{i % 3}\n" for i, name in enumerate(names)]
    text = "path,subject,label\n" + "".join(lines) + extra
    return manifest(folder, text, names, **(SMALL | settings))


def test_a_sound_study_has_no_error_and_exact_counts(quick, tmp_path):
    findings = diagnose(study(tmp_path))
    assert not [finding for finding in findings if finding.level == "error"]
    (people,) = about(findings, "12 frames of 4 subjects")
    table = [line.split() for line in people.message.splitlines()[1:]]
    assert table[0] == ["subject", "frames", "usable", "pspi", "0", "1", "2"]
    assert table[1] == ["a", "3", "3", "1", "1", "1"]
    assert table[-1] == ["all", "12", "12", "4", "4", "4"]


def test_each_oddity_is_a_finding_with_advice(quick, tmp_path):
    extra = "no.png,a,1\nb0.png,b,0\n../x.png,a,1\na0.png,a,\nd0.png,d,99\nf9.png,f,1\ng.png,e,1\n"
    Image.new("L", (32, 24), 200).save(tmp_path / "f9.png")
    findings = diagnose(study(tmp_path, extra))
    for status, count in (("missing_file", 2), ("duplicate", 3), ("outside_root", 1)):
        (finding,) = about(findings, f"status {status}")
        assert finding.level == "warning"
        assert finding.message.startswith(f"{count} frames")
        assert "manifest.csv row" in finding.message
        assert finding.advice
    assert about(findings, "1 without a usable frame: e")
    assert about(findings, "grey")[0].level == "note"
    assert about(findings, "one label throughout: f")


def test_frames_without_a_label_are_counted_and_whose_they_are(quick, tmp_path):
    head = "path,subject,label,split\n"
    rows = [(f"{s}{i}.png", s, str(i) if i else "", "") for s in "abcd" for i in range(3)]
    rows += [(f"u{i}.png", "u", "", "pool") for i in range(2)]
    text = head + "".join(f"{','.join(row)}\n" for row in rows)
    steps = {"train": {"geometry_pretraining_steps": 5}}
    config = manifest(tmp_path, text, [row[0] for row in rows], **SMALL, **steps)
    asked = config.index.manifest.model_copy(update={"unlabelled": "pretrain"})
    index = config.index.model_copy(update={"manifest": asked})
    findings = diagnose(config.model_copy(update={"index": index}))
    (found,) = about(findings, "status unlabelled")
    assert found.level == "note"
    assert found.message.startswith("6 frames (42.9%) of 5 subjects")
    assert found.message.endswith("4 of them are of 4 subjects who have frames with a label too")
    assert found.advice
    assert not about(findings, "without a usable frame")
    assert not [each for each in findings if each.level == "error"]
    assert about(findings, "crop and landmarks of 14 frames")


def test_who_has_no_label_and_is_not_in_the_pool_is_an_error(quick, tmp_path):
    extra = "u0.png,u,\n"
    config = study(tmp_path, extra, train={"geometry_pretraining_steps": 5})
    asked = config.index.manifest.model_copy(update={"unlabelled": "pretrain"})
    index = config.index.model_copy(update={"manifest": asked})
    (found,) = about(diagnose(config.model_copy(update={"index": index})), "has a label, so no")
    assert (found.level, found.about) == ("error", "split")


def test_disagreements_are_listed(quick, tmp_path):
    head = "path,subject,label,au4,au6,au7,au9,au10,au43\n"
    rows = "".join(f"{s}.png,{s},{i},1,0,0,0,0,0\n" for i, s in enumerate("abcd"))
    findings = diagnose(manifest(tmp_path, head + rows, [f"{s}.png" for s in "abcd"], **SMALL))
    (finding,) = about(findings, "pspi_differs")
    assert finding.message.startswith("3 frames")
    assert "c/c/c: 2 as label, 1 from action units" in finding.message


def test_too_few_subjects_is_an_error_before_anything_runs(quick, tmp_path):
    findings = diagnose(study(tmp_path, merge={"folds": 5, "validation_subjects": 1}))
    assert about(findings, "merge.folds")[0].level == "error"
    findings = diagnose(study(tmp_path, merge={"folds": "loso", "validation_subjects": 3}))
    assert about(findings, "merge.folds")[0].level == "error"
    findings = diagnose(study(tmp_path, merge={"folds": "loso", "validation_subjects": 2}))
    assert not about(findings, "merge.folds")
    one = {"merge": {"folds": 5}}
    findings = diagnose(study(tmp_path, experiments={"full": {}, "more": one, "same": one}))
    assert [finding.level for finding in about(findings, "merge.folds")] == ["error"]


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        ("train train test test", ""),
        ("train train/test test test", "'b' is in several splits: train and test"),
        ("train train test ", "'d': the split says nothing"),
        ("train train train train", "no subject's split is test"),
    ],
)
def test_a_given_split_is_looked_at(quick, tmp_path, splits, words):
    lines, names = [], []
    for subject, split in zip("abcd", splits.split(" "), strict=True):
        for i, word in enumerate(f"{split}/{split}".split("/")[:2]):
            names.append(f"{subject}{i}.png")
            lines.append(f"{names[-1]},{subject},{i},{word}\n")
    text = "path,subject,label,split\n" + "".join(lines)
    given = {"merge": {"folds": "given", "validation_subjects": 1}}
    findings = about(diagnose(manifest(tmp_path, text, names, **given)), "merge.folds")
    if not words:
        assert [finding.level for finding in findings] == []
        return
    errors = [finding for finding in findings if finding.level == "error"]
    assert len(errors) == 1
    assert words in errors[0].message
    assert "split" in errors[0].advice


@pytest.mark.parametrize(
    ("splits", "levels"),
    [
        ("pool pool  ", []),
        (" pool pool pool", ["error"]),  # nobody is left to hold out
        ("pool/test pool  ", ["error"]),
        ("pool/ pool  ", ["error"]),
    ],
)
def test_a_pool_is_told_and_leaves_enough_to_hold_out(quick, tmp_path, splits, levels):
    lines, names = [], []
    for subject, split in zip("abcd", splits.split(" "), strict=True):
        for i, word in enumerate(split.split("/") * 2):
            names.append(f"{subject}{i}.png")
            lines.append(f"{names[-1]},{subject},{i},{word}\n")
    text = "path,subject,label,split\n" + "".join(lines)
    findings = diagnose(manifest(tmp_path, text, names, **SMALL))
    told = [each for each in findings if each.about in ("split", "merge.folds")]
    assert [each.level for each in told] == levels
    pool = [each.message for each in findings if each.about == "pool"]
    assert (pool == ["2 of 4 usable subjects: they train in every fold"]) == (not levels)


def test_a_useless_data_set_is_one_error(quick, tmp_path):
    findings = diagnose(manifest(tmp_path, "path,subject,pain\na.png,s,1\n"))
    assert [f.level for f in about(findings, "no column 'label'")] == ["error"]
    findings = diagnose(manifest(tmp_path, "path,subject,label\nno.png,s,1\n"))
    assert [f.level for f in about(findings, "no frame can be used")] == ["error"]


def test_a_full_disk_is_foreseen(quick, tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage(10, 10, 1000))
    assert about(diagnose(study(tmp_path)), "disk")[0].level == "error"


@pytest.mark.parametrize(
    ("train", "kind", "outputs", "batch"),
    [
        ({"loss": "ordinal", "levels": 7, "network": {"branches": ["channel"]}}, AACSFNet, 7, 32),
        ({"model": "published", "batch": 40}, Published, 1, 40),
        ({"network": {"context": "person"}}, AACSFNet, 1, 32),
        ({"network": {"context": "sequence"}}, AACSFNet, 1, 32),
    ],
)
def test_the_step_that_is_timed_is_the_configured_networks(
    monkeypatch, train, kind, outputs, batch
):
    seen = []

    def raw(self, pictures, context):
        found = original(self, pictures, context)
        beside = 0 if context is None else len(context.pictures)
        seen.append((pictures.shape, found.shape, self.settings["width"], beside))
        return found

    original = kind.raw
    monkeypatch.setattr(kind, "raw", raw)
    monkeypatch.setattr(rehearsal, "_LONGEST_TRIAL", 0.0)
    shared = {"pretrained": "/no/such.safetensors", "batch": 64} | train
    shared["network"] = shared.get("network", {}) | {"width": 32}
    rehearsal.training_seconds(validate({"train": shared}).train, 64)
    beside = {"person": 2, "sequence": 4}.get(shared["network"].get("context"), 0) * batch
    assert seen == [((batch, 3, 64, 64), (batch, outputs), 32, beside)]


def test_missing_models_are_errors(tmp_path):
    config = validate(
        {
            "generate": {"model": str(tmp_path / "no")},
            "train": {"pretrained": str(tmp_path / "w.bin")},
            "experiments": {
                "full": {},
                "scene": {"depth": {"method": "model", "model": str(tmp_path)}},
                "same": {"train": {"epochs": 1}},
            },
        }
    )
    model, depth, weights = doctor.look_at_models(config)
    assert {finding.level for finding in (model, depth, weights)} == {"error"}
    assert "no such folder" in model.message
    assert depth.about == "depth.model"
    assert "no *.safetensors in it" in depth.message
    assert "no such file" in weights.message


def test_a_detector_of_controlnet_aux_needs_its_own_file(tmp_path):
    config = validate({"depth": {"method": "midas", "model": str(tmp_path)}})
    (tmp_path / "model.safetensors").touch()
    assert [finding.level for finding in doctor.look_at_models(config)][1] == "error"
    (tmp_path / "dpt_hybrid-midas-501f0c75.pt").touch()
    assert [finding.level for finding in doctor.look_at_models(config)][1] == "ok"


def test_the_gravest_come_last_and_are_counted():
    text = render(
        [
            Finding("error", "data", "bad", "mend it"),
            Finding("ok", "machine", "fine\nvery"),
            Finding("note", "x", "odd"),
        ]
    )
    lines = text.splitlines()
    assert [line.strip().split()[0] for line in lines] == [
        "ok",
        "very",
        "note",
        "ERROR",
        "->",
        "1",
    ]
    assert lines[-1] == "1 errors, 0 warnings, 1 notes"


def usable(levels, people=1):
    """Frames with so many of each label, dealt out to people in turn."""
    labels = [level for level, count in levels.items() for _ in range(count)]
    names = [f"p{place % people}" for place in range(len(labels))]
    unknown = {unit: pl.lit(None, pl.Float32) for unit in PSPI_UNITS}
    ids = [str(place) for place in range(len(labels))]
    frames = {"frame_id": ids, "subject": names, "label": labels, "split": ""}
    return pl.DataFrame(frames).with_columns(**unknown)


def test_a_plan_counts_what_a_run_makes():
    config = validate(
        {
            "prompts": {"keep": {"variants": 2, "neutral_share": 0.25}, "level": NONE},
            "merge": {"folds": 4, "validation_subjects": 2},
            "train": {"epochs": 3},
            "training_seeds": [1, 2],
            "experiments": {"full": {}, "real": {"train": {"synthetic": False}}},
        }
    )
    own = usable({0.0: 80, 3.0: 20}, people=8)
    plan = estimates.plan_of(config, own, PSPI)
    assert plan.frames == 100
    assert plan.generated == 2 * 20 + 2 * 20
    # half of 8 people train in each of 4 folds, 3 epochs, 2 seeds; with and without generated
    assert plan.trained == round(0.5 * (180 + 100) * 3 * 4 * 2)
    fixed = validate(
        {"train": {"epochs": 3, "epoch_steps": 50, "batch": 8}, "experiments": {"a": {}}}
    )
    assert estimates.plan_of(fixed, own, PSPI).trained == 50 * 8 * 3 * 4
    learned = validate(
        {
            "train": {"epochs": 3, "epoch_steps": 50, "batch": 8, "geometry_pretraining_steps": 25},
            "experiments": {"a": {}},
        }
    )
    assert estimates.plan_of(learned, own, PSPI).trained == (25 + 50 * 3) * 8 * 4
    pool = usable({3.0: 10}).with_columns(subject=pl.lit("pool"), split=pl.lit("Pool "))
    more = estimates.plan_of(config, pl.concat([own, pool]), PSPI)
    assert more.trained == plan.trained + (30 + 10) * 3 * 4 * 2  # in every fold
    disk = 100 * 38_000 + 80 * (9_000 + 30_000) + 180 * 3 * 64 * 64
    assert estimates.disk_bytes(plan, REHEARSAL) == disk


def test_what_an_experiment_has_of_its_own_is_made_once_more():
    experiments = {
        "full": {},
        "large": {"crop": {"size": 256}},
        "strong": {"generate": {"strength": 0.9}},
        "strong-long": {"generate": {"strength": 0.9}, "train": {"epochs": 99}},
        "more": {"prompts": {"keep": {"variants": 3}}},
    }
    prompts = {"keep": {"neutral_share": 0.0}, "level": NONE}
    config = validate({"prompts": prompts, "experiments": experiments})
    plan = estimates.plan_of(config, usable({0.0: 60, 2.0: 40}, people=8), PSPI)
    assert plan.rows == {"crop": 200, "landmarks": 200, "depth": 40 + 40 + 120}
    assert [pictures["keep"] for _, pictures in plan.generation] == [40, 40, 40, 120]
    assert plan.generated == 240
    assert [pictures for _, pictures in plan.merged] == [140, 140, 140, 220]


def test_rare_levels_that_get_more_pictures_are_counted():
    keep = {"balance": 0.5, "neutral_share": 0.0}
    config = validate({"prompts": {"keep": keep, "level": NONE}, "experiments": {"a": {}}})
    # 20 frames where the person's commonest level has 80: sqrt(80 / 20) = 2 pictures each
    plan = estimates.plan_of(config, usable({0.0: 900, 1.0: 80, 4.0: 20}), PSPI)
    assert plan.generated == 80 + 2 * 20
    other = usable({1.0: 5, 4.0: 500}).with_columns(subject=pl.lit("another"))
    both = estimates.plan_of(config, pl.concat([usable({1.0: 80, 4.0: 20}), other]), PSPI)
    assert both.generated == 80 + 2 * 20 + 4 * 5 + 500  # sqrt(500 / 5) is above the limit, 4


@pytest.mark.parametrize(
    ("seconds", "advice"), [(1.0, "about 4.8"), (5.0, ""), (100.0, "about 4.8")]
)
def test_videos_longer_or_shorter_than_planned_are_told(quick, tmp_path, seconds, advice):
    import cv2

    for level, subject in enumerate("abcd", start=99):
        codec = cv2.VideoWriter_fourcc(*"MJPG")
        path = str(tmp_path / f"{subject}.avi")
        writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, codec, 25.0, (64, 64))
        for _ in range(120):
            writer.write(np.full((64, 64, 3), level, np.uint8))
        writer.release()
    text = "path,subject,label\n" + "".join(f"{s}.avi,{s},{i}\n" for i, s in enumerate("abcd"))
    config = manifest(tmp_path, text, **SMALL)
    index = config.index.model_dump(mode="json") | {"shard_frames": 50}
    index["videos"] = {"rate": 25.0, "seconds": seconds}
    config = validate(config.model_dump(mode="json") | {"index": index})
    found = about(diagnose(config), "index.shard_frames")
    assert [advice in finding.advice for finding in found] == ([True] if advice else [])


def test_every_finding_about_the_machine_or_the_data_that_is_bad_says_what_to_do(quick, tmp_path):
    extra = "no.png,a,1\nb0.png,b,0\n../x.png,a,1\na0.png,a,\nd0.png,d,99\nf9.png,f,1\n"
    extra += "g.png,e,1\nz.png,,1\n"
    Image.new("L", (32, 24), 200).save(tmp_path / "f9.png")
    findings = diagnose(study(tmp_path, extra, merge={"folds": 50}))
    grave = [finding for finding in findings if finding.level in ("warning", "error")]
    assert len(grave) >= 7
    assert not [finding for finding in grave if not finding.advice]


def test_the_time_to_start_jobs_grows_with_shards_folds_and_seeds():
    keys = {"merge": {"folds": "loso"}, "training_seeds": [1, 2]}
    jobs = estimates.jobs_of(validate(keys | {"experiments": {"a": {}, "b": {}}}), 7, 5)
    assert (jobs["index"], jobs["crop"], jobs["generate"], jobs["evaluate"]) == (1, 7, 7, 2)
    assert jobs["train"] == 20
    more = {"a": {}, "b": {"crop": {"size": 64}}}
    own = estimates.jobs_of(validate(keys | {"experiments": more}), 7, 5)
    assert (own["index"], own["crop"], own["merge"], own["evaluate"]) == (1, 14, 2, 2)
    assert estimates.start_seconds(own) > estimates.start_seconds(jobs) > 20 * 5


def test_generation_takes_longer_with_more_steps_and_without_a_gpu():
    def seconds(gpu, **keys):
        return estimates.generation_seconds(validate({"generate": keys}), gpu, 2)["keep"]

    assert seconds(False, steps=40) == 2 * seconds(False, steps=20)
    assert seconds(False, model="sd15") > 100 * seconds(True, model="sd15")
    guided, free = (seconds(True, model="sd15", guidance_scale=each) for each in (6.0, 1.0))
    coding = estimates.PICTURE_TERAFLOP * (128 / 512) ** 2 / estimates.GPU_TERAFLOPS
    assert guided - coding == pytest.approx(2 * (free - coding))


@pytest.mark.slow
def test_the_demo_data_is_rehearsed_for_real():
    demo = {"subjects": 4, "sequences": 1, "frames": 8}
    config = validate({"index": {"demo": demo}, "merge": {"folds": 2, "validation_subjects": 1}})
    findings = diagnose(config)
    assert not [finding for finding in findings if finding.level == "error"]
    (faces,) = about(findings, "sampled frames gave a face")
    assert faces.level == "ok"
    (least_sure,) = about(findings, "the 12 least sure faces")
    others = least_sure.message.splitlines()[1:]
    assert len(others) == 12
    assert re.fullmatch(r".+: detector 0\.\d\d, mesh [01]\.\d\d, seen [01]\.\d\d", others[0])
    assert about(findings, "jobs: ")
    assert "32 frames of 4 subjects" in render(findings)


@pytest.mark.parametrize("wanted", ["auto", "cpu"])
def test_a_gpu_that_may_not_be_used_is_not_counted_on(quick, monkeypatch, tmp_path, wanted):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(doctor, "look_at_machine", lambda: iter(()))
    monkeypatch.setenv("AACSFNET_DEVICE", wanted)
    (time,) = [finding for finding in diagnose(study(tmp_path)) if finding.about == "time"]
    assert ("and a GPU" in time.message) == (wanted == "auto")


def test_one_name_with_two_sexes_is_told(quick, tmp_path):
    names = [f"{subject}{i}.png" for subject in "abcd" for i in range(2)]
    lines = [f"{name},{name[0]},{i % 3},{'fm'[i in (0, 3)]}\n" for i, name in enumerate(names)]
    findings = diagnose(
        manifest(tmp_path, "path,subject,label,sex\n" + "".join(lines), names, **SMALL)
    )
    (found,) = about(findings, "with more than one sex")
    assert found.message == "2 with more than one sex: a, b"
    assert found.level == "warning"
