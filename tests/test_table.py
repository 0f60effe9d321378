import io
import json
import os
from itertools import product

import cv2
import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aacsfnet import tables
from aacsfnet.augmentation.diffusion import provenance
from aacsfnet.errors import DataError, WorkError
from aacsfnet.files import replacing


def crop_rows(count=2):
    rng = np.random.default_rng(0)
    return [
        {
            "frame_id": f"s/a/{i}",
            "subject": "s",
            "sequence": "a",
            "status": "ok",
            "reason": "",
            "image": tables.encode_png(rng.integers(0, 255, (8, 8, 3), np.uint8), f"{i}.png"),
            "to_frame": [1.0, 0.0, 3.0, 0.0, 1.0, 4.0],
            "frame_size": [640, 480],
            "faces": 1,
            "confidence": 0.9,
        }
        for i in range(count)
    ]


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "crop" / "s.00.parquet"
    rows = tables.frame("crop", crop_rows())
    tables.write(path, rows, "crop")
    assert tables.read(path).equals(rows)
    assert tables.read(path, ["faces"]).columns == ["faces"]
    assert [file.name for file in path.parent.iterdir()] == ["s.00.parquet"]


@pytest.mark.parametrize("shape", [(5, 7, 3), (5, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_are_lossless_and_stand_as_any_reader_sees_them(shape, dtype):
    if len(shape) == 3 and dtype == np.uint16:
        pytest.skip("colour pictures are 8 bit")
    picture = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, shape, dtype)
    encoded = tables.encode_png(picture, "a.png")
    assert np.array_equal(tables.decode_png(encoded), picture)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded["bytes"]))), picture)


def a_picture(number, side=20):
    return np.random.default_rng(number).integers(0, 256, (side, side + 3, 3), np.uint8)


def with_pictures(path, files):
    """Write a table of crops that hold encoded pictures, and read them again."""
    rows = [
        {"frame_id": str(i), "status": "ok", "reason": "", "image": file and {"bytes": file}}
        for i, file in enumerate(files)
    ]
    tables.write(path, tables.frame("crop", rows), "crop")
    return list(tables.read_pictures(path, "frame_id"))


def test_pictures_are_read_a_few_at_a_time_and_decoded_together(tmp_path):
    files = [tables.encode_png(a_picture(i), "x.png")["bytes"] for i in range(100)]
    files[3] = provenance.mark_synthetic(files[3], "0" * 16)
    files[5] = None
    parts = with_pictures(tmp_path / "a.parquet", files)
    assert max(len(names) for names, _ in parts) < 50
    assert [name for names, _ in parts for name in names] == [str(i) for i in range(100)]
    for names, values in parts:
        for name, value in zip(names, values, strict=True):
            if value:
                np.testing.assert_array_equal(tables.decode_png(value), a_picture(int(name)))


@pytest.mark.parametrize(
    "picture",
    [
        *(np.zeros((4, 4, channels), np.uint8) for channels in (1, 2, 4)),
        *(np.zeros((4, 4), kind) for kind in (np.int8, np.int16, np.float16, np.float32)),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((4, 0, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
    ],
)
def test_what_is_no_picture_is_not_encoded(picture):
    with pytest.raises(WorkError, match="cannot encode a picture of shape"):
        tables.encode_png(picture, "x.png")


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        *product([(1, 1), (1, 7), (7, 1), (5, 4)], ["u1", "<u2", ">u2"]),
        *product([(1, 1, 3), (5, 4, 3)], ["u1"]),
    ],
)
def test_a_picture_of_any_size_and_order_comes_back(shape, kind):
    picture = np.random.default_rng(1).integers(0, 256, shape).astype(kind)
    for each in (picture, np.asfortranarray(picture), picture[::-1, ::-1]):
        np.testing.assert_array_equal(tables.decode_png(tables.encode_png(each, "x.png")), each)


def test_files_of_others_are_decoded_too():
    file = cv2.imencode(".png", a_picture(1)[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(tables.decode_png({"bytes": file}), a_picture(1))


@pytest.mark.parametrize("at", [20, 60, -30])  # the header's sizes, first and last pixels
def test_a_damaged_picture_is_refused(at):
    file = bytearray(tables.encode_png(a_picture(1), "x.png")["bytes"])
    file[at] ^= 1
    with pytest.raises(DataError, match=r"'x\.png' in a table cannot be decoded"):
        tables.decode_png({"bytes": bytes(file), "path": "x.png"})


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """A table as Hugging Face's library loads it, offline."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)

    def load(stage, rows):
        path = tmp_path / f"{stage}.parquet"
        tables.write(path, tables.frame(stage, rows), stage)
        return datasets.load_dataset(
            "parquet", data_files=str(path), cache_dir=str(tmp_path / "cache"), split="train"
        )

    return load


@pytest.mark.parametrize("stage", ["crop", "depth", "generate"])
def test_hugging_face_reads_pictures_as_pictures(loaded, stage):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (8, 6, 3), np.uint8) for _ in range(300)]
    if stage == "depth":
        pictures = [picture[..., 0].astype(np.uint16) * 257 for picture in pictures]
    rows = [
        {"frame_id": f"s/a/{i}", "status": "ok", "reason": "", "sequence": str(i)}
        | ({} if i == 1 else {"image": tables.encode_png(picture, f"{i}.png")})
        for i, picture in enumerate(pictures)
    ]
    found = loaded(stage, rows)
    assert found["sequence"][:] == [str(i) for i in range(300)]
    for i, image in enumerate(found["image"]):
        if i == 1:
            assert image is None
        else:
            assert isinstance(image, Image.Image)
            np.testing.assert_array_equal(np.asarray(image), pictures[i])


def test_hugging_face_reads_lists_and_structs_as_such(loaded):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(478, 3)).astype(np.float32)
    measures = {name: float(i) for i, name in enumerate(tables.MEASURES)}
    known = {"frame_id": "a", "status": "ok", "reason": ""}
    row = known | {"landmarks_px": points, "pose": [1.0, 2.0, 3.0], "measures": measures}
    first, second = loaded("landmarks", [row, known | {"frame_id": "b"}])
    np.testing.assert_array_equal(np.array(first["landmarks_px"], np.float32), points)
    assert (first["pose"], first["measures"]) == ([1.0, 2.0, 3.0], measures)
    assert second["landmarks_px"] is second["pose"] is None

    crop = loaded("crop", [*crop_rows(), known | {"mesh_px": points}])
    assert crop["to_frame"][:] == [[1.0, 0.0, 3.0, 0.0, 1.0, 4.0]] * 2 + [None]
    assert crop["frame_size"][0] == [640, 480]
    np.testing.assert_array_equal(np.array(crop["mesh_px"][2], np.float32), points)


def test_a_table_with_pictures_names_every_columns_feature(tmp_path):
    path = tmp_path / "s.parquet"
    tables.write(path, tables.frame("crop", crop_rows()), "crop")
    schema = pq.read_schema(path)
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == schema.names
    number = {"_type": "Value", "dtype": "float32"}
    point = {"_type": "List", "feature": number, "length": 3}
    assert features["image"] == {"_type": "Image"}
    assert features["inside"] == number
    assert features["mesh_px"] == {"_type": "List", "feature": point}


def test_an_empty_shard_is_legal(tmp_path):
    for stage in tables.SCHEMAS:
        tables.write(tmp_path / f"{stage}.parquet", tables.frame(stage, []), stage)
        assert tables.read(tmp_path / f"{stage}.parquet").height == 0


def test_a_table_that_differs_from_its_schema_is_refused(tmp_path):
    rows = tables.frame("crop", crop_rows())
    path = tmp_path / "s.parquet"
    with pytest.raises(WorkError, match=r"differs from its schema.*inside"):
        tables.write(path, rows.with_columns(pl.col("inside").cast(pl.Int8)), "crop")
    with pytest.raises(WorkError, match=r"unknown statuses.*'fine'"):
        tables.write(path, rows.with_columns(status=pl.lit("fine")), "crop")
    with pytest.raises(WorkError, match="no column for"):
        tables.frame("crop", [{"colour": 1}])
    assert not path.exists()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "s.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["s.txt"]


def test_a_written_file_may_be_read_by_others_as_the_umask_says(tmp_path):
    old = os.umask(0o027)
    try:
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_missing_or_broken_table_is_one_clear_line(tmp_path):
    with pytest.raises(DataError, match="no such table"):
        tables.read(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="not a Parquet table"):
        tables.read(tmp_path / "text.parquet")


def test_carry_keeps_what_the_next_table_holds():
    row = crop_rows(1)[0] | {"status": "no_face", "reason": "none found"}
    carried = tables.carry(row, "landmarks")
    assert carried["status"] == "no_face"
    assert "image" not in carried
    tables.frame("landmarks", [carried])


def test_export_unpacks_every_picture_under_a_safe_name(tmp_path):
    rows = crop_rows(2)
    rows[0]["frame_id"] = "../../etc/passwd"
    rows.append(tables.carry(rows[0], "crop") | {"status": "no_face", "frame_id": "s/a/9"})
    path = tmp_path / "s.parquet"
    tables.write(path, tables.frame("crop", rows), "crop")
    folder = tmp_path / "out"
    assert tables.export_pictures(path, folder) == 2
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["000000-etc-passwd.png", "000001-s-a-1.png"]
    assert (folder / names[1]).read_bytes() == rows[1]["image"]["bytes"]
    assert not (tmp_path.parent / "etc").exists()


def test_arrays_with_gaps_come_back_as_they_were(tmp_path):
    points = np.random.default_rng(0).normal(size=(478, 3)).astype(np.float32)
    rows = [
        {"frame_id": name, "status": "ok", "reason": "", "landmarks_px": value}
        for name, value in (("a", points), ("b", None), ("c", points + 1), ("d", None))
    ]
    tables.write(tmp_path / "t.parquet", tables.frame("landmarks", rows), "landmarks")
    back = tables.read(tmp_path / "t.parquet")["landmarks_px"]
    assert back.is_null().to_list() == [False, True, False, True]
    assert np.array_equal(np.array(back[0].to_list(), np.float32), points)
    assert np.array_equal(np.array(back[2].to_list(), np.float32), points + 1)
