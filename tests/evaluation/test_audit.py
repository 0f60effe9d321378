"""The audit is silent on good results, and each fault that is planted is found."""

import json
import shutil
import struct
import tracemalloc
import zlib

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.errors import DataError
from aacsfnet.evaluation.audit import audit
from aacsfnet.evaluation.audit.picture_texts import texts_of


def lines(made) -> list[str]:
    return [str(discrepancy) for discrepancy in audit(made.config, made.folder)]


def change(path, how) -> None:
    how(pl.read_parquet(path)).write_parquet(path)


def first_shard(made, stage: str):
    return sorted((made.folder / stage).glob("*.parquet"))[0]


def with_text(encoded: bytes, kind: bytes, data: bytes) -> bytes:
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return encoded[:33] + chunk + encoded[33:]


def test_good_results_have_no_discrepancy(made):
    assert lines(made) == []


def test_without_an_index_there_is_nothing_to_audit_against(made):
    (made.folder / "index.parquet").unlink()
    with pytest.raises(DataError, match="no such table"):
        audit(made.config, made.folder)


@pytest.mark.parametrize("stage", ["crop", "landmarks", "depth", "prompts", "generate", "quality"])
def test_a_frame_that_lost_its_row_is_missed(made, stage):
    path = first_shard(made, stage)
    change(path, lambda rows: rows.filter(pl.col("frame_id") != "anna-1/move/0003"))
    found = lines(made)
    assert any(line.startswith(f"{stage}/") and "anna-1/move/0003" in line for line in found)


def test_an_experiments_own_tables_are_audited_while_the_settings_ask_for_them(made):
    own = made.with_own("wordy", prompts={"negative": "cartoon"})
    assert lines(own) == []
    path = sorted((made.experiment("wordy") / "prompts").glob("*.parquet"))[0]
    change(path, lambda rows: rows.filter(pl.col("frame_id") != "anna-1/move/0003"))
    (found,) = lines(own)
    assert found.startswith("experiments/wordy/prompts/anna-1.00.parquet: lacks frames")
    assert lines(made) == []  # the experiment was removed from the settings
    shutil.rmtree(made.experiment("wordy") / "prompts")
    assert "experiments/wordy/prompts: there is none; run the stage" in lines(own)


def test_a_missing_and_a_broken_table_are_found(made):
    first_shard(made, "depth").unlink()
    first_shard(made, "crop").write_bytes(b"PAR1, not really")
    found = " ".join(lines(made))
    assert "depth/anna-1.00.parquet: cannot be read" in found
    assert "crop/anna-1.00.parquet: cannot be read" in found


def test_an_altered_label_is_found(made):
    path = first_shard(made, "prompts")
    change(path, lambda rows: rows.with_columns(label=pl.col("label") + 1))
    assert any("another label than in the index" in line for line in lines(made))


def test_a_label_that_a_picture_was_not_made_to_show_is_found(made):
    path = first_shard(made, "quality")
    change(path, lambda rows: rows.with_columns(kind=pl.lit("level")))
    assert any("another label than in the index" in line for line in lines(made))


def test_a_subject_in_two_roles_is_found(made):
    planted = pl.DataFrame({"fold": [0], "subject": ["anna-1"], "role": ["train"]})
    planted = planted.with_columns(pl.col("fold").cast(pl.Int32))
    change(made.folder / "merge" / "splits.parquet", lambda rows: pl.concat([rows, planted]))
    assert any("subjects with several roles" in line for line in lines(made))


def test_a_given_split_tests_only_whom_it_marks(made):
    change(made.folder / "merge" / "splits.parquet", lambda rows: rows.filter(pl.col("fold") == 0))
    for path in made.folder.glob("experiments/*/predictions.parquet"):
        change(path, lambda rows: rows.filter(pl.col("fold") == 0))
    apart = ("not tested in exactly one fold", "lacks frames")
    assert all(any(words in line for line in lines(made)) for words in apart)
    merge = made.config.merge.model_copy(update={"folds": "given"})
    given = audit(made.config.model_copy(update={"merge": merge}), made.folder)
    assert not [
        discrepancy for discrepancy in given if any(words in str(discrepancy) for words in apart)
    ]


@pytest.fixture
def partly(made):
    """Results of which two frames had no label on purpose, as all stages would leave them."""
    folder, frames = made.folder, ["anna-1/rest/0000", "anna-1/rest/0001"]
    chosen = pl.col("frame_id").is_in(frames)

    def leave(rows):
        own = {"status": pl.lit("unlabelled")} | (
            {"label": pl.lit(None, pl.Float64)} if "label" in rows.columns else {}
        )
        when = {name: pl.when(chosen).then(to).otherwise(name) for name, to in own.items()}
        return rows.with_columns(**when)

    stages = ("crop", "landmarks", "prompts", "depth", "generate", "quality")
    of_stages = [(stage, path) for stage in stages for path in (folder / stage).glob("*.parquet")]
    whole = [("index", folder / "index.parquet"), ("merge", folder / "merge" / "index.parquet")]
    for stage, path in whole + of_stages:
        tables.write(path, leave(tables.read(path)), stage)
    for experiment in ("full", "no-generation"):
        own = made.experiment(experiment)
        change(own / "predictions.parquet", lambda rows: rows.filter(~chosen))
        metrics = json.loads((own / "metrics.json").read_text())
        (own / "metrics.json").write_text(json.dumps(metrics | {"frames": metrics["frames"] - 2}))
    return made


def test_frames_without_a_label_on_purpose_are_no_discrepancy(partly):
    assert lines(partly) == []


@pytest.mark.parametrize("status", ["ok", "bad_label"])
def test_a_picture_without_a_label_that_the_index_does_not_call_so_is_found(partly, status):
    one = pl.col("frame_id") == "anna-1/rest/0000"
    to = pl.when(one).then(pl.lit(status)).otherwise("status")
    change(partly.folder / "index.parquet", lambda rows: rows.with_columns(status=to))
    assert any("used with a label or without, other than the index" in x for x in lines(partly))


def test_a_prediction_of_a_frame_without_a_label_is_found(partly):
    path = partly.experiment("full") / "predictions.parquet"
    another = pl.lit("anna-1/rest/0000")
    change(path, lambda rows: pl.concat([rows, rows.head(1).with_columns(frame_id=another)]))
    assert any("adds frames: 1 (anna-1/rest/0000)" in line for line in lines(partly))


def test_a_crop_without_a_label_needs_its_picture(partly):
    path = first_shard(partly, "crop")
    change(path, lambda rows: rows.with_columns(image=pl.lit(None)))
    assert any("ok without a picture: 15" in line for line in lines(partly))


@pytest.fixture
def pooled(made):
    """Results with dora-4 in the pool, as merge, train and evaluate would leave them."""
    is_dora = pl.col("subject") == "dora-4"
    split = pl.when(is_dora).then(pl.lit("Pool")).otherwise(pl.lit(""))
    change(made.folder / "index.parquet", lambda rows: rows.with_columns(split=split))
    change(made.folder / "merge" / "index.parquet", lambda rows: rows.with_columns(pool=is_dora))
    role = pl.when(is_dora).then(pl.lit("train")).otherwise("role")
    change(made.folder / "merge" / "splits.parquet", lambda rows: rows.with_columns(role=role))
    for experiment in ("full", "no-generation"):
        folder = made.experiment(experiment)
        change(folder / "predictions.parquet", lambda rows: rows.filter(~is_dora))
        metrics = json.loads((folder / "metrics.json").read_text())
        metrics |= {"frames": 45, "subjects": 3}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return made


def test_a_pool_that_nobody_tests_is_as_it_should_be(pooled):
    assert lines(pooled) == []


@pytest.mark.parametrize(
    ("file", "plant", "words"),
    [
        (
            "merge/splits.parquet",
            {"role": pl.when(pl.col("subject") == "dora-4").then(pl.lit("test")).otherwise("role")},
            "subjects of the pool held out: 1 (dora-4)",
        ),
        (
            "merge/splits.parquet",
            {"role": pl.col("role").replace("train", "validation")},
            "subjects of the pool held out: 1 (dora-4)",
        ),
        (
            "merge/index.parquet",
            {"pool": pl.col("subject") == "anna-1"},
            "in the pool, or not, other than in the index",
        ),
        (
            "merge/index.parquet",
            {
                "subject": pl.when(pl.col("subject") == "anna-1")
                .then(pl.lit("dora-4"))
                .otherwise("subject")
            },
            "pictures of another subject than they say",
        ),
        (
            "merge/index.parquet",
            {"digest": pl.lit("f" * 32)},
            "the same picture in the pool and outside it",
        ),
        (
            "index.parquet",
            {
                "split": pl.when(pl.col("frame_id") == "dora-4/move/0003")
                .then(pl.lit("test"))
                .otherwise("split")
            },
            "'dora-4' is in the pool, but some of its rows say 'test'",
        ),
        (
            "index.parquet",
            {"subject": pl.col("subject").replace("anna-1", "Dora-4 ")},
            "differ in case or blanks only",
        ),
        (
            "experiments/full/predictions.parquet",
            {
                "subject": pl.lit("dora-4"),
                "frame_id": pl.col("frame_id").str.replace("anna-1", "dora-4"),
            },
            "subjects predicted by a fold that trained on them: 1 (dora-4)",
        ),
    ],
)
def test_what_leaks_by_the_pool_is_found(pooled, file, plant, words):
    change(pooled.folder / file, lambda rows: rows.with_columns(**plant))
    assert any(words in line for line in lines(pooled))


def test_a_subject_tested_twice_is_found(made):
    change(
        made.folder / "merge" / "splits.parquet",
        lambda rows: rows.with_columns(
            role=pl.when(pl.col("subject") == "ben-2").then(pl.lit("test")).otherwise("role")
        ),
    )
    assert any("not tested in exactly one fold: 1 (ben-2)" in line for line in lines(made))


def test_a_held_out_subjects_picture_under_another_name_is_found(made):
    synthetic = pl.col("synthetic") & (pl.col("subject") == "anna-1")
    change(
        made.folder / "merge" / "index.parquet",
        lambda rows: rows.with_columns(
            subject=pl.when(synthetic).then(pl.lit("ben-2")).otherwise("subject")
        ),
    )
    assert any("pictures of another subject than they say" in line for line in lines(made))


def test_pixels_that_differ_from_their_digest_are_found(made):
    images = np.load(made.folder / "merge" / "images.npy", mmap_mode="r")
    import hashlib

    digest = hashlib.blake2b(images[0].tobytes(), digest_size=16).hexdigest()
    path = made.folder / "merge" / "index.parquet"
    change(
        path,
        lambda rows: rows.with_columns(
            digest=pl.when(pl.col("row").is_not_null()).then(pl.lit(digest))
        ),
    )
    assert lines(made) == []
    altered = np.array(images)
    altered[5, 0, 0, 0] = 1
    np.save(made.folder / "merge" / "images.npy", altered)
    assert any("differ from their digests: 1 (" in line for line in lines(made))
    np.save(made.folder / "merge" / "images.npy", altered[:-1])
    assert any("pictures in images.npy" in line for line in lines(made))


def test_predictions_that_lack_or_repeat_a_frame_are_found(made):
    path = made.experiment("full") / "predictions.parquet"
    change(path, lambda rows: pl.concat([rows.slice(1), rows.tail(1)]))
    found = " ".join(lines(made))
    assert "seed 1 lacks frames: 1" in found
    assert "seed 1 predicts frames twice: 1" in found
    assert "metrics.json: 60 frames of 4 subjects; predictions: 59 of 4" in found


def test_predictions_by_a_fold_that_trained_on_the_subject_are_found(made):
    path = made.experiment("full") / "predictions.parquet"
    change(path, lambda rows: rows.with_columns(fold=1 - pl.col("fold")))
    assert any("by a fold that trained on them" in line for line in lines(made))


def test_a_missing_experiment_and_a_missing_seed_are_found(made):
    (made.experiment("full") / "metrics.json").unlink()
    assert any("experiments/full: has no predictions or no metrics" in line for line in lines(made))
    config = made.config.model_copy(update={"training_seeds": (1, 2)})
    found = [str(discrepancy) for discrepancy in audit(config, made.folder)]
    assert any("predictions of seeds 1; the settings ask for (1, 2)" in line for line in found)


def test_metrics_that_are_no_json_are_found(made):
    (made.experiment("full") / "metrics.json").write_text(json.dumps([]))
    assert any("experiments/full: cannot be read" in line for line in lines(made))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"tEXt", b"Author\0by anna-1"),
        (b"iTXt", b"Author\0\0\0\0\0anna-1"),
        (b"tEXt", b"anna-1\0nothing"),
        (b"zTXt", b"xylem\0\0" + zlib.compress(b"frame of anna-1")),
        (b"iTXt", b"Author\0\1\0en\0\0" + zlib.compress("Bild von anna-1 größer".encode())),
        (b"eXIf", b"MM anna-1 "),
    ],
)
def test_a_subjects_name_inside_a_picture_is_found(made, kind, data):
    plant(made, kind, data)
    assert any("name stands in pictures' metadata" in line for line in lines(made))


def plant(made, *chunk, change=with_text) -> None:
    """Change every generated picture of a shard."""
    path = first_shard(made, "generate")
    rows = pl.read_parquet(path)
    pictures = [
        image and {**image, "bytes": change(image["bytes"], *chunk)}
        for image in rows["image"].to_list()
    ]
    rows.with_columns(pl.Series("image", pictures, dtype=tables.PICTURE)).write_parquet(path)


def test_harmless_text_inside_a_picture_is_fine(made):
    plant(made, b"tEXt", b"synthetic\0true")
    assert lines(made) == []


def test_a_name_behind_the_pixels_or_under_a_keyword_given_twice_is_found(made):
    def twice_at_the_end(encoded):
        end = encoded[:-12]
        for text in (b"Author\0anna-1", b"Author\0nobody"):
            end += with_text(b" " * 33, b"tEXt", text)[33:]
        return end + encoded[-12:]

    plant(made, change=twice_at_the_end)
    assert any("name stands in pictures' metadata" in line for line in lines(made))


def test_text_that_inflates_without_end_is_found_and_not_inflated(made):
    bomb = zlib.compress(bytes(2**28))
    tracemalloc.start()
    plant(made, b"zTXt", b"Author\0\0" + bomb)
    found = lines(made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any("pictures' metadata cannot be read" in line for line in found)
    assert peak < 2**27


def test_half_a_picture_is_found(made):
    plant(made, change=lambda encoded: encoded[: len(encoded) // 2])
    assert any("pictures' metadata cannot be read" in line for line in lines(made))


def test_an_ok_row_without_its_picture_is_found(made):
    path = first_shard(made, "crop")
    change(path, lambda rows: rows.with_columns(image=pl.lit(None, dtype=tables.PICTURE)))
    assert any("ok without a picture" in line for line in lines(made))


def test_something_else_than_a_png_file_has_no_text():
    assert list(texts_of(b"\xff\xd8 a JPEG")) == []
