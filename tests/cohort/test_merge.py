import cv2
import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.cohort.merge import merge
from aacsfnet.config import validate
from aacsfnet.datasets import Label
from aacsfnet.errors import DataError, LeakError
from aacsfnet.layout import Merged
from aacsfnet.training.material import read_material

SIZE = 32
SETTINGS = {"image_size": SIZE, "folds": 2, "validation_subjects": 1, "kept": 1.0}
CONFIG = validate({"merge": SETTINGS})
SUBJECTS = ("a", "b", "c", "d")


def picture(number, side=64):
    """A picture of its own, in two by two blocks of one colour: averaging areas of two is exact."""
    random = np.random.default_rng(number)
    return random.integers(0, 256, (side // 2, side // 2, 3), np.uint8).repeat(2, 0).repeat(2, 1)


@pytest.fixture(name="stages")
def _stages(tmp_path):
    """Four subjects of four frames: frame 2 has no face, frame 3 no label; frame 1 is varied."""
    index, accepted = (
        [],
        {"ok": "", "rejected": "not alike", "failed": "black", "not_selected": "no"},
    )
    for subject in SUBJECTS:
        crops, meshes, generated, gate = [], [], [], []
        for number in range(4):
            frame = {
                "frame_id": f"{subject}/s/{number}",
                "subject": subject,
                "sequence": "s",
                "label": None if number == 3 else float(number),
                "status": "no_face" if number == 2 else "ok",
                "reason": "none found" if number == 2 else "",
            }
            index.append(frame | {"status": "ok", "reason": "", "shard": f"{subject}.00"})
            face = {name: value for name, value in frame.items() if name != "label"}
            own = ord(subject) * 10 + number
            fine = number != 2
            crops.append(
                face | {"image": tables.encode_png(picture(own), "x.png") if fine else None}
            )
            seen = {"measures": dict.fromkeys(tables.MEASURES, own / 10)} if number == 1 else {}
            meshes.append(face | seen)
            for variant, status in enumerate(accepted if number == 1 else ()):
                row = frame | {
                    "image_id": f"{frame['frame_id']}#{variant}",
                    "source_frame_id": frame["frame_id"],
                    "kind": "keep",
                    "status": status,
                    "reason": accepted[status],
                }
                found = {"measures": dict.fromkeys(tables.MEASURES, own / 100)}
                image = tables.encode_png(picture(1000 + own, SIZE), "x.png")
                generated.append(
                    row | {"status": "ok", "reason": "", "variant": variant, "image": image}
                )
                gate.append(row | (found if status == "ok" else {}))
        made = {"crop": crops, "landmarks": meshes, "generate": generated, "quality": gate}
        for stage, rows in made.items():
            path = tmp_path / stage / f"{subject}.00.parquet"
            tables.write(path, tables.frame(stage, rows), stage)
    tables.write(tmp_path / "index.parquet", tables.frame("index", index), "index")
    return tmp_path


def run(folder, config=CONFIG):
    merge(
        config,
        folder / "index.parquet",
        folder / "crop",
        folder / "landmarks",
        folder / "generate",
        folder / "quality",
        folder / "merge",
    )
    return tables.read(folder / "merge" / "index.parquet")


def test_real_pictures_come_first_then_accepted_ones_each_in_its_place(stages):
    index = run(stages)
    images = np.load(stages / "merge" / "images.npy", mmap_mode="r")
    used = index.filter(pl.col("row").is_not_null()).sort("row")
    assert used["image_id"].to_list() == [f"{s}/s/{n}" for s in SUBJECTS for n in (0, 1)] + [
        f"{s}/s/1#0" for s in SUBJECTS
    ]
    assert images.shape == (12, SIZE, SIZE, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[3], picture(ord("b") * 10 + 1)[::2, ::2])
    np.testing.assert_array_equal(images[9], picture(1000 + ord("b") * 10 + 1, SIZE))
    assert used["synthetic"].to_list() == [False] * 8 + [True] * 4


def test_each_picture_has_the_measures_found_on_itself(stages):
    index = run(stages)
    found = {row["image_id"]: row["measures"] for row in index.to_dicts()}
    own = ord("b") * 10 + 1
    assert list(found["b/s/1"].values()) == pytest.approx([own / 10] * 15)
    assert list(found["b/s/1#0"].values()) == pytest.approx([own / 100] * 15)
    for name in ("b/s/0", "b/s/1#1"):  # no face found there
        assert set((found[name] or {"": None}).values()) == {None}


def test_each_real_picture_tells_how_its_face_was_seen(stages):
    """A crop turned by 30 degrees and three times as fine as its frame; the head's own pose."""
    turn = 3 * np.array([[0.75**0.5, -0.5, 9], [0.5, 0.75**0.5, 7]])
    for name, column, value in (
        ("crop", "to_frame", turn.ravel()),
        ("landmarks", "pose", np.array([12, -5, 3], np.float32)),
    ):
        path = stages / name / "b.00.parquet"
        rows = tables.read(path).to_dicts()
        for row in rows[:2]:
            row[column] = value
        tables.write(path, tables.frame(name, rows), name)
    found = {row["image_id"]: row for row in run(stages).to_dicts()}
    told = [found["b/s/1"][name] for name in ("yaw", "pitch", "frame_pixels")]
    assert told == pytest.approx([12, -5, 3])
    for name in ("a/s/1", "b/s/1#0"):  # not known, and generated
        assert {found[name][each] for each in ("yaw", "pitch", "frame_pixels")} == {None}


def test_what_did_not_get_in_keeps_a_row_with_its_reason(stages):
    index = run(stages)
    out = index.filter(pl.col("row").is_null() & (pl.col("subject") == "a"))
    found = {row["image_id"]: (row["status"], row["reason"]) for row in out.to_dicts()}
    assert found == {
        "a/s/2": ("no_face", "none found"),
        "a/s/3": ("bad_label", "no label"),
        "a/s/1#1": ("rejected", "not alike"),
        "a/s/1#2": ("failed", "black"),
    }
    frames = index.filter(~pl.col("synthetic"))
    assert sorted(frames["frame_id"]) == sorted(tables.read(stages / "index.parquet")["frame_id"])


def test_the_middle_of_a_crop_can_be_used_alone(stages):
    """Half of 64 pixels is 32: nothing is resampled."""
    index = run(stages, validate({"merge": SETTINGS | {"kept": 0.5}}))
    images = np.load(stages / "merge" / "images.npy")
    np.testing.assert_array_equal(images[3], picture(ord("b") * 10 + 1)[16:48, 16:48])
    assert index["kept"].unique().to_list() == [0.5]


def test_it_is_noted_how_far_apart_in_time_frames_lie(stages):
    run(stages)
    assert tables.notes(stages / "merge" / "index.parquet")["spacing_s"] is None
    index = tables.read(stages / "index.parquet")
    times = (pl.int_range(pl.len()) * 0.2).over("subject", "sequence")
    tables.write(stages / "index.parquet", index.with_columns(time_s=times), "index")
    run(stages)
    assert tables.notes(stages / "merge" / "index.parquet")["spacing_s"] == 0.2


def test_every_subject_has_a_role_in_every_fold(stages):
    run(stages)
    splits = pl.read_parquet(stages / "merge" / "splits.parquet")
    assert splits.group_by("fold").len()["len"].to_list() == [4, 4]


def test_the_same_again_to_the_byte(stages):
    run(stages)
    names = ("images.npy", "index.parquet", "splits.parquet")
    first = [(stages / "merge" / name).read_bytes() for name in names]
    run(stages)
    assert [(stages / "merge" / name).read_bytes() for name in names] == first


def test_a_generated_picture_under_another_subjects_name_is_refused(stages):
    path = stages / "quality" / "a.00.parquet"
    lying = tables.read(path).with_columns(source_frame_id=pl.lit("b/s/1"))
    tables.write(path, lying, "quality")
    with pytest.raises(LeakError, match="says subject 'a'"):
        run(stages)
    assert not (stages / "merge" / "index.parquet").exists()


def test_a_missing_shard_is_named(stages):
    (stages / "quality" / "c.00.parquet").unlink()
    with pytest.raises(DataError, match=r"c\.00\.parquet"):
        run(stages)


def test_no_usable_picture_at_all_still_makes_its_tables(stages):
    for subject in SUBJECTS:
        path = stages / "crop" / f"{subject}.00.parquet"
        none = tables.read(path).with_columns(status=pl.lit("no_face"), reason=pl.lit("none"))
        tables.write(path, none, "crop")
        path = stages / "quality" / f"{subject}.00.parquet"
        tables.write(path, tables.read(path).head(0), "quality")
    index = run(stages)
    assert index["row"].null_count() == len(index) == 16
    assert np.load(stages / "merge" / "images.npy").shape == (0, SIZE, SIZE, 3)


def test_a_given_split_keeps_the_tested_people_and_pictures_made_from_them_out(stages):
    said = {"a": "train", "b": "Training", "c": "val", "d": "test"}
    index = tables.read(stages / "index.parquet")
    split = pl.col("subject").replace_strict(said)
    tables.write(stages / "index.parquet", index.with_columns(split=split), "index")
    run(stages, validate({"merge": SETTINGS | {"folds": "given"}}))
    chosen = read_material(
        Merged(stages / "merge"), 0, tables.KINDS, Label("pspi", 0, 16, "")
    ).chosen
    assert set(chosen.train["subject"]) == {"a", "b"}
    assert chosen.train["synthetic"].sum() == 2
    assert set(chosen.train["source_frame_id"].drop_nulls().str.slice(0, 1)) == {"a", "b"}
    assert set(chosen.validation["subject"]) == {"c"}
    assert set(chosen.test["subject"]) == {"d"}


def test_a_person_in_two_given_splits_is_refused(stages):
    index = tables.read(stages / "index.parquet")
    last = pl.int_range(pl.len()) % 4 == 3
    split = pl.when((pl.col("subject") == "b") & last).then(pl.lit("test")).otherwise(pl.lit("val"))
    tables.write(stages / "index.parquet", index.with_columns(split=split), "index")
    with pytest.raises(DataError, match="'b' is in several splits: validation and test"):
        run(stages, validate({"merge": SETTINGS | {"folds": "given"}}))


def test_a_fold_that_tests_nobody_is_named(stages, capsys):
    path = stages / "crop" / "b.00.parquet"
    none = tables.read(path).with_columns(status=pl.lit("no_face"), reason=pl.lit("none"))
    tables.write(path, none, "crop")
    path = stages / "quality" / "b.00.parquet"
    tables.write(path, tables.read(path).head(0), "quality")
    run(stages, validate({"merge": SETTINGS | {"folds": "loso"}}))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "tests nobody" in line]
    assert line.endswith("no usable picture of b")


def test_pictures_of_an_earlier_form_give_the_same_to_the_byte(stages):
    run(stages)
    images = (stages / "merge" / "images.npy").read_bytes()
    path = stages / "crop" / "b.00.parquet"
    rows = tables.read(path).to_dicts()
    for row in filter(lambda row: row["image"], rows):
        pixels = tables.decode_png(row["image"])[..., ::-1]
        row["image"]["bytes"] = cv2.imencode(".png", pixels)[1].tobytes()
    tables.write(path, tables.frame("crop", rows), "crop")
    run(stages)
    assert (stages / "merge" / "images.npy").read_bytes() == images


def test_a_real_picture_that_is_lost_is_named(stages):
    path = stages / "crop" / "b.00.parquet"
    rows = tables.read(path).to_dicts()
    rows[0]["image"] = None
    tables.write(path, tables.frame("crop", rows), "crop")
    with pytest.raises(DataError, match=r"b\.00\.parquet: holds no picture b/s/0"):
        run(stages)


def test_a_generated_picture_that_is_lost_is_named(stages):
    path = stages / "generate" / "b.00.parquet"
    tables.write(path, tables.read(path)[1:], "generate")
    with pytest.raises(DataError, match=r"b\.00\.parquet: holds no picture b/s/1#0"):
        run(stages)
