"""The command, on small films made in code."""

import io
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import aacsfnet
from aacsfnet.errors import DataError, ModelFileError, SettingsError
from aacsfnet.inference.paths import files_of
from aacsfnet.inference.predict import predict
from aacsfnet.inference.progress import telling
from tests.made_videos import write

from .conftest import save

GREY = np.full((300, 400, 3), 140, np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    modes = {"crop": {"mode": "video"}, "landmarks": {"mode": "video"}}
    return save(tmp_path_factory.mktemp("model"), **modes)


@pytest.fixture(scope="module")
def film(tmp_path_factory, photograph):
    """A film of a variable rate: a face, none, the face again, a black frame; and its times."""
    pictures = [photograph] * 8 + [GREY] * 3 + [photograph] * 4 + [np.zeros_like(GREY)]
    times = np.cumsum(np.random.default_rng(1).integers(15, 90, len(pictures))).tolist()
    path = tmp_path_factory.mktemp("film") / "a film.mp4"
    write(path, pictures, times_ms=times)
    return path, times


@pytest.fixture(scope="module")
def table(film, model, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    predict([film[0]], model, path, device="cpu")
    return pl.read_parquet(path)


def test_each_frame_has_its_row_with_its_own_time_or_reason(film, table):
    path, times = film
    assert table["frame"].to_list() == list(range(16))
    assert table["time_s"].to_list() == pytest.approx(np.array(times) / 1000, abs=1e-3)
    assert table["status"].to_list() == ["ok"] * 8 + ["no_face"] * 3 + ["ok"] * 4 + ["black"]
    assert table["face"].to_list() == [0] * 8 + [None] * 3 + [0] * 4 + [None]
    assert set(table["path"]) == {str(path)}
    for row in table.iter_rows(named=True):
        found = row["status"] == "ok"
        assert (row["reason"] is None) == found
        for column in ("box", "pose", "measures", "prediction"):
            assert (row[column] is not None) == found, column


def test_predictions_are_those_of_the_predictor_on_the_same_crops(film, model, table):
    from aacsfnet.config import Crop, Landmarks
    from aacsfnet.datasets.files import DataFolder
    from aacsfnet.datasets.streams import open_stream
    from aacsfnet.faces.film import FilmExtractor

    settings = Crop(mode="video"), Landmarks(mode="video")
    with (
        open_stream(DataFolder(film[0].parent), film[0].name, 64.0) as stream,
        FilmExtractor(*settings, everyone=True) as extractor,
    ):
        seen = extractor.frames(frame.picture for frame in stream)
        faces = [face for frame in seen for face in frame.faces.values()]
    scores = aacsfnet.Predictor(model).predict([face.crop for face in faces])
    ok = table.filter(status="ok")
    np.testing.assert_allclose(ok["prediction"], scores, atol=1e-4)
    np.testing.assert_allclose(
        ok["pose"].struct.field("roll"), [face.frame_roll for face in faces], atol=1e-4
    )
    left, top, right, bottom = table["box"][0].values()
    assert left < 203 < 246 < right  # the irises
    assert top < 101 < bottom


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_text_holds_the_same_with_a_column_for_each_part(film, model, table, tmp_path, suffix):
    predict([film[0]], model, tmp_path / f"t{suffix}", device="cpu")
    assert list(tmp_path.iterdir()) == [tmp_path / f"t{suffix}"]
    text = pl.read_csv(tmp_path / f"t{suffix}", separator="," if suffix == ".csv" else "\t")
    structs = [name for name, kind in table.schema.items() if isinstance(kind, pl.Struct)]
    flat = table.with_columns(pl.col(structs).name.prefix_fields("")).unnest(
        *structs, separator="_"
    )
    assert text.columns == flat.columns
    for name in text.columns:
        assert text[name].is_null().to_list() == flat[name].is_null().to_list(), name
        found, expected = (each[name].drop_nulls().to_list() for each in (text, flat))
        close = flat[name].dtype.is_float()
        assert found == (pytest.approx(expected, rel=1e-5, abs=1e-6) if close else expected), name


def test_pictures_are_each_by_itself_or_a_recording(model, photograph, tmp_path):
    for at in range(3):
        shifted = cv2.warpAffine(photograph, np.float32([[1, 0, 3 * at], [0, 1, 0]]), (400, 300))
        cv2.imwrite(str(tmp_path / f"f{at + 8}.png"), shifted[..., ::-1])
    cv2.imwrite(str(tmp_path / "g.png"), GREY)
    (tmp_path / "h.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    out = tmp_path / "out" / "t.parquet"
    predict([tmp_path], model, out, device="cpu")
    alone = pl.read_parquet(out)
    names = [Path(path).name for path in alone["path"]]
    assert names == ["f8.png", "f9.png", "f10.png", "g.png", "h.jpg"]
    assert alone["status"].to_list() == ["ok"] * 3 + ["no_face", "unreadable"]
    assert alone["frame"].to_list() == [0] * 5
    assert alone["time_s"].null_count() == 5
    predict([str(tmp_path / "f*.png")], model, out, sequences=True, device="cpu")
    together = pl.read_parquet(out)
    assert together["frame"].to_list() == [0, 1, 2]
    assert together["face"].to_list() == [0, 0, 0]
    predictor = aacsfnet.Predictor(model)
    for row, name in zip(alone.head(3).iter_rows(named=True), names, strict=False):
        (face,) = predictor.picture(tmp_path / name)
        assert row["prediction"] == pytest.approx(face.prediction, abs=0.05)


def test_two_people_have_a_row_each_or_the_largest_alone(model, photograph, tmp_path):
    smaller = np.pad(photograph[::2, ::-2], ((75, 75), (0, 0), (0, 0)), "edge")
    both = np.hstack([photograph, smaller])
    write(tmp_path / "two.mkv", [np.ascontiguousarray(np.roll(both, 2 * at, 1)) for at in range(6)])
    predict([tmp_path / "two.mkv"], model, tmp_path / "all.csv", device="cpu")
    rows = pl.read_csv(tmp_path / "all.csv")
    assert rows["frame"].to_list() == [at // 2 for at in range(12)]
    assert rows["face"].to_list() == [0, 1] * 6
    by = {number: group["box_left"] for (number,), group in rows.group_by("face")}
    assert max(by[0]) < 300 < 420 < min(by[1])
    predict([tmp_path / "two.mkv"], model, tmp_path / "one.csv", people="largest", device="cpu")
    rows = pl.read_csv(tmp_path / "one.csv")
    assert rows["face"].to_list() == [0] * 6
    assert max(rows["box_left"]) < 300


def test_a_broken_film_gives_its_rows_and_a_reason(model, photograph, tmp_path):
    early = {"movflags": "faststart"}
    pictures = [photograph] * 20
    write(tmp_path / "a.mp4", pictures, codec="mjpeg", pixels="yuvj420p", options=early)
    whole = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: 2 * len(whole) // 3])
    (tmp_path / "b.mp4").write_bytes(b"nothing")
    predict([tmp_path], model, tmp_path / "t.csv", device="cpu")
    rows = pl.read_csv(tmp_path / "t.csv")
    *good, last, other = rows["status"]
    assert good[:10] == ["ok"] * 10
    assert good[10:].count("unreadable") <= 1  # the frame in which it breaks off
    assert last == other == "unreadable"
    assert rows["frame"].to_list() == [*range(len(good) + 1), 0]
    assert "is no video" in rows["reason"][-1]


def test_what_is_given_wrong_is_told_before_anything_is_written(model, film, tmp_path):
    out = tmp_path / "t.csv"
    for given, words in (
        ("gone.mp4", "no such file"),
        ("*.mp4", "no picture"),
        (".", "no picture"),
    ):
        with pytest.raises(DataError, match=words):
            predict([tmp_path / given], model, out)
    with pytest.raises(SettingsError, match=r"t\.xlsx: expected a name that ends in \.csv"):
        predict([film[0]], model, tmp_path / "t.xlsx")
    with pytest.raises(SettingsError, match="device = 'cuda:99': expected auto, cpu"):
        predict([film[0]], model, out, device="cuda:99")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(SettingsError, match="a folder"):
        predict([film[0]], model, tmp_path / "d.csv")
    with pytest.raises(ModelFileError, match="no such file"):
        predict([film[0]], tmp_path, out)
    assert [path.name for path in tmp_path.iterdir()] == ["d.csv"]


def test_a_killed_command_leaves_the_old_table(model, film, tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"old")
    monkeypatch.setattr("aacsfnet.inference.predictor.Predictor.judge", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict([film[0]], model, tmp_path / "t.parquet", device="cpu")
    assert (tmp_path / "t.parquet").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_files_are_found_once_with_numbers_in_order(tmp_path):
    for name in ("b/f10.png", "b/f9.PNG", "a.mp4", ".hidden.png", "b/notes.txt", "odd.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = files_of([tmp_path / "b", tmp_path, tmp_path / "odd.dat", f"{tmp_path}/**/*.png"])
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["b/f9.PNG", "b/f10.png", "a.mp4", "odd.dat"]


def test_the_command_writes_rows_to_the_output_and_lines_to_the_log(model, film):
    command = [sys.executable, "-m", "aacsfnet", "predict", str(film[0]), "--model", str(model)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert len(pl.read_csv(io.StringIO(done.stdout))) == 16
    (line,) = [line for line in done.stderr.splitlines() if str(film[0]) in line]
    assert "16 frames, " in line
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_has_a_bar_with_rate_and_time_left():
    with telling(screen := Terminal()) as told:
        told.begin("film.mp4", 30)
        for _ in range(30):
            told.advance()
        told.end()
    assert "film.mp4" in screen.getvalue()
    assert "30/30" in screen.getvalue()
    assert "a second" in screen.getvalue()
