"""The page and the films beside it, without a browser."""

import base64
import hashlib
import json
import re

import av
import numpy as np
import polars as pl
import pytest

from aacsfnet.datasets.containers import Encoding
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.streams import open_stream
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.inference.predict import predict
from aacsfnet.inference.view.film import film_writer, why_not_played
from aacsfnet.inference.view.mesh import LINES, POINTS, LineFinder, grown, packed
from aacsfnet.inference.view.scores import read_scores
from aacsfnet.inference.view.view import view
from tests.made_videos import write

from .conftest import save
from .made_tables import film, number_in, numbered, rows, table


@pytest.fixture
def made(tmp_path):
    """A film and its table."""
    times = film(tmp_path / "film.mp4")
    return table(tmp_path / "scores.csv", rows("film.mp4", times)), tmp_path / "film.mp4"


def parts_of(page):
    text = page.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return text, json.loads(data[1])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_the_page_holds_the_rows_of_any_format(made, tmp_path, suffix):
    read = pl.read_csv(made[0])
    scores = table(tmp_path / f"t{suffix}", rows("film.mp4", [int(v) for v in times_of(made[1])]))
    written = view(scores, made[1], mesh=False)
    assert written == (tmp_path / "film.view.html", made[1], "")
    _, data = parts_of(written.page)
    assert data["size"] == [320, 240]
    assert data["numbers"] == list(range(40))
    assert data["times"] == pytest.approx(read.unique("frame").sort("frame")["time_s"], abs=1e-5)
    assert data["faceless"]["at"] == [5, 6, 7, 8]
    assert {data["words"][at] for at in data["faceless"]["words"]} == {
        "neither detector found a face"
    }
    first, second = data["people"]
    assert first["at"] == [at for at in range(40) if not 5 <= at <= 8]
    assert second["at"] == [at for at in range(20) if not 5 <= at <= 8]
    for person in data["people"]:
        own = read.filter(face=person["number"])
        assert person["score"] == pytest.approx(own["prediction"].to_list(), abs=1e-4)
        assert [box[0] for box in person["box"]] == pytest.approx(own["box_left"], abs=0.1)
        assert set(person["kind"]) == {0}
        assert person["low"] == [None] * len(own)


def times_of(path):
    with open_stream(DataFolder(path.parent), path.name, 64) as stream:
        return [round(frame.time_s * 1000) for frame in stream]


def test_intervals_doubts_and_what_was_left_out_are_shown(made, tmp_path):
    scores = pl.read_csv(made[0])
    doubted = pl.col("frame").is_between(10, 12)
    left_out = pl.col("frame") >= 30
    scores = scores.with_columns(
        low=pl.col("prediction") - 1,
        high=pl.col("prediction") + 2,
        abstained=doubted,
        relative=pl.col("prediction") - 4,
        why=pl.when(doubted).then(pl.lit("head turned")),
        status=pl.when(left_out).then(pl.lit("excluded")).otherwise("status"),
        prediction=pl.when(~left_out).then("prediction"),
    )
    scores.write_csv(tmp_path / "more.csv")
    _, data = parts_of(view(tmp_path / "more.csv", made[1], mesh=False).page)
    person = data["people"][0]
    kinds = dict(zip(person["at"], (data["kinds"][kind] for kind in person["kind"]), strict=True))
    assert {at for at, kind in kinds.items() if kind == "abstained"} == {10, 11, 12}
    assert {at for at, kind in kinds.items() if kind == "left out"} == set(range(30, 40))
    words = dict(zip(person["at"], (data["words"][at] for at in person["words"]), strict=True))
    assert words[11] == "head turned"
    assert words[13] == ""
    row = person["at"].index(11)
    assert person["high"][row] - person["low"][row] == pytest.approx(3, abs=1e-3)
    assert person["relative"][row] == pytest.approx(person["score"][row] - 4, abs=1e-3)
    assert person["score"][person["at"].index(35)] is None


def test_nothing_that_a_name_or_a_reason_says_is_taken_for_html(tmp_path):
    name = "</script><script>alert(1)&'\".mp4".replace("/", "∕")
    times = film(tmp_path / name, 4)
    evil = "</script><img src=x onerror=alert(1)><!--"
    made = [row | {"reason": evil, "status": "no_face"} for row in rows(name, times)]
    scores = table(tmp_path / "scores.parquet", made[:1])
    (tmp_path / "list.csv").write_text(f'path,first_frame,last_frame,note\n,0,1,"{evil}"\n')
    with pytest.raises(DataError, match="no path"):
        view(scores, tmp_path / name, exclude=tmp_path / "list.csv")
    quoted = name.replace('"', '""')
    (tmp_path / "list.csv").write_text(
        f'path,first_frame,last_frame,note\n"{quoted}",0,1,"{evil}"\n'
    )
    written = view(scores, tmp_path / name, exclude=tmp_path / "list.csv", mesh=False)
    text, data = parts_of(written.page)
    assert evil in data["words"]
    assert data["stretches"] == [[0, 1, evil]]
    assert data["path"] == name
    assert len(re.findall(r"<script\b", text)) == text.count("</script>") == 2
    assert "<img" not in text
    assert not re.search(r"""\s(on\w+|style)\s*=\s*["']""", text), "an inline handler or style"


def test_only_the_pages_own_script_and_style_may_run_and_nothing_is_fetched(made):
    text, _ = parts_of(view(*made, mesh=False).page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none';")
    for kind, tag in (("script", "<script>"), ("style", "<style>")):
        body = text.split(tag)[1].split(f"</{tag[1:]}")[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert re.findall(r'(?:src|href)="([^"#]*)"', text) == ["data:,", "./film.mp4"]
    assert not re.search(r"https?://", text)


def test_every_control_has_a_name(made):
    text, _ = parts_of(view(*made, mesh=False).page)
    for button in re.findall(r"<button[^>]*>([^<]*)</button>", text):
        assert button.strip()
    for control in re.findall(r"<(?:input|canvas|video)[^>]*>", text):
        labelled = 'type="checkbox"' in control or "aria-label=" in control
        assert labelled or 'aria-hidden="true"' in control, control
    assert '<html lang="en">' in text


def test_a_table_of_another_film_is_refused(made, tmp_path):
    scores, path = made
    film(tmp_path / "sub.mp4", start=500)
    other = tmp_path / "else" / "film.mp4"
    other.parent.mkdir()
    (tmp_path / "sub.mp4").rename(other)
    with pytest.raises(DataError, match=r"frame 0 has 0\.\d+ s there and .* another film"):
        view(scores, other, mesh=False)
    film(other, 30)
    longer = pl.read_csv(scores).with_columns(time_s=None)
    longer.write_csv(tmp_path / "timeless.csv")
    with pytest.raises(DataError, match="no time there"):
        view(tmp_path / "timeless.csv", path, mesh=False)
    times = times_of(other)
    short = rows("film.mp4", [*times, times[-1] + 40])
    with pytest.raises(DataError, match=r"has a frame 30, which"):
        view(table(tmp_path / "short.csv", short), other, mesh=False)
    assert not list(tmp_path.glob("**/*.html"))


def test_a_table_that_is_none_or_doubled_is_refused(made, tmp_path):
    scores, path = made
    (tmp_path / "odd.csv").write_text("path,status,prediction\nfilm.mp4,ok,1\n")
    with pytest.raises(DataError, match="lacks the columns frame, face"):
        read_scores(tmp_path / "odd.csv", path)
    with pytest.raises(DataError, match=r"has rows of film\.mp4; of other\.mp4: none"):
        read_scores(scores, path.with_name("other.mp4").relative_to(path.parent))
    twice = pl.concat([pl.read_csv(scores)] * 2)
    twice.write_csv(tmp_path / "twice.csv")
    with pytest.raises(DataError, match="frame 0 has two rows of face 0"):
        read_scores(tmp_path / "twice.csv", path)
    both = pl.concat([pl.read_csv(scores).with_columns(path=pl.lit(f"{n}/film.mp4")) for n in "ab"])
    both.write_csv(tmp_path / "both.csv")
    with pytest.raises(DataError, match=r"several of its name \(a/film\.mp4, b/film\.mp4\)"):
        read_scores(tmp_path / "both.csv", path)
    with pytest.raises(DataError, match="no video"):
        view(scores, tmp_path)
    with pytest.raises(SettingsError, match=r"ends in \.html"):
        view(scores, path, tmp_path / "page.txt")
    with pytest.raises(SettingsError, match="the overlay would replace the film itself"):
        view(scores, path, overlay=path)


MP4 = "mov"
MIRRORED = np.array([-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30], np.int32).tobytes()
TURNED = np.array([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30], np.int32).tobytes()


EVEN = [(0.0, 0.04), (0.08, 0.12), (0.04, 0.08)]


@pytest.mark.parametrize(
    ("encoding", "matrix", "why"),
    [
        (Encoding(MP4, "h264", "yuv420p"), None, ""),
        (Encoding(MP4, "h264", "yuvj420p"), TURNED, ""),
        (Encoding(MP4, "h264", "yuv420p"), MIRRORED, "mirrored"),
        (Encoding(MP4, "hevc", "yuv420p"), None, "hevc"),
        (Encoding(MP4, "h264", "yuv422p10le"), None, "yuv422p10le"),
        (Encoding("matroska", "vp9", "yuv420p"), None, "frame by frame"),
        (Encoding("avi", "mpeg4", "yuv420p"), None, "frame by frame"),
    ],
)
def test_what_browsers_play_is_known(encoding, matrix, why):
    found = why_not_played(".mov", encoding, EVEN, matrix)
    assert (found == "") == (why == "")
    assert why in found


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([], True),
        ([(0.0, 0.0)], True),  # the last one's end is not asked for
        ([(0.0, 0.04), (0.04, 0.12), (0.12, 0.12)], True),
        ([(0.0, 0.05), (0.04, 0.08)], False),  # covers the middle of the last one's time
        ([(0.0, 0.01), (0.04, 0.08)], False),  # over before the middle of its own
        ([(0.0, 0.09), (0.04, 0.08), (0.08, 0.12)], False),
        ([(0.0, 0.0), (0.04, 0.0)], False),  # the file tells no durations
    ],
)
def test_a_browser_finds_a_frame_only_by_the_right_durations(spans, found):
    why = why_not_played(".mp4", Encoding(MP4, "h264", "yuv420p"), spans[::-1], None)
    assert (why == "") == found


@pytest.mark.parametrize("even", [True, False])
def test_a_varying_rate_with_b_frames_is_copied(tmp_path, even):
    times = film(tmp_path / "film.mp4", b_frames=True, even=even)
    scores = table(tmp_path / "scores.csv", rows("film.mp4", times))
    written = view(scores, tmp_path / "film.mp4", mesh=False)
    assert (written.why_copied == "") == even


def test_a_film_that_browsers_do_not_play_is_copied_frame_by_frame(tmp_path):
    times = film(tmp_path / "film.mkv", start=3000, codec="libx265")
    scores = table(tmp_path / "scores.csv", rows("film.mkv", times))
    written = view(scores, tmp_path / "film.mkv", mesh=False)
    assert written.film == tmp_path / "film.view.mp4"
    assert "frame by frame" in written.why_copied
    text, data = parts_of(written.page)
    assert 'src="./film.view.mp4"' in text
    assert data["offset"] == data["times"][0] == pytest.approx(times[0] / 1000, abs=1e-3)
    with open_stream(DataFolder(tmp_path), written.film.name, 64) as stream:
        spans = list(stream.video.spans())
        stream.video.reopen()
        copied = list(stream)
        assert why_not_played(".mp4", stream.video.encoding, spans, stream.matrix) == ""
    assert [number_in(frame.picture) for frame in copied] == list(range(40))
    found = [frame.time_s + data["offset"] for frame in copied]
    assert found == pytest.approx(data["times"], abs=1e-4)


def test_an_odd_size_gains_a_row_and_a_column(tmp_path):
    with film_writer(tmp_path / "odd.mp4") as writer:
        for number in range(3):
            writer.add(numbered(number, 241, 321), number / 25)
        writer.add(numbered(3), 0.2)
    with av.open(str(tmp_path / "odd.mp4")) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert [frame.shape for frame in frames] == [(242, 322, 3)] * 4
    assert [number_in(frame) for frame in frames] == [0, 1, 2, 3]


def test_the_lines_lie_on_the_face_and_come_back_from_bytes(photograph):
    from aacsfnet.faces import find_faces

    (face,) = find_faces(photograph)
    with LineFinder() as finder:
        found = finder.find(photograph, face.box_xyxy, face.frame_roll)
        nowhere = finder.find(photograph, np.array([10.0, 150, 80, 250]), 0.0)
    assert nowhere is None
    eyes = face.landmarks_in_frame[33] - face.landmarks_in_frame[263]
    errors = np.linalg.norm(found - face.landmarks_in_frame[POINTS, :2], axis=1)
    assert errors.mean() < 0.03 * np.linalg.norm(eyes)
    assert max(max(line) for line in LINES) == len(POINTS) - 1
    low, size = grown(face.box_xyxy)
    bytes_ = np.frombuffer(packed(found, face.box_xyxy), np.uint8).reshape(-1, 2)
    np.testing.assert_allclose(low + bytes_ / 255 * size, found, atol=size.max() / 500)


def test_from_a_film_to_a_page_and_a_film_with_all_drawn_in(photograph, tmp_path, monkeypatch):
    pictures = [photograph] * 4 + [np.full_like(photograph, 140)] * 2 + [photograph] * 2
    write(tmp_path / "face.mp4", pictures, times_ms=[0, 40, 100, 130, 200, 260, 300, 380])
    monkeypatch.chdir(tmp_path)
    predict(["face.mp4"], save(tmp_path / "model"), tmp_path / "t.csv", device="cpu")
    written = view(tmp_path / "t.csv", tmp_path / "face.mp4", overlay=tmp_path / "over.mp4")
    _, data = parts_of(written.page)
    (person,) = data["people"]
    assert person["meshed"] == [1] * 6
    assert len(base64.b64decode(person["lines"])) == 6 * 2 * data["points"]
    with open_stream(DataFolder(tmp_path), "over.mp4", 64) as stream:
        drawn = list(stream)
    assert [round(1000 * frame.time_s) for frame in drawn] == [0, 40, 100, 130, 200, 260, 300, 380]
    assert drawn[0].picture.shape == (376, 400, 3)
    box = np.rint(person["box"][0]).astype(int)
    edge = drawn[0].picture[box[1] : box[3], box[0]].mean(axis=0)
    assert edge[2] > edge[0] + 20, "the box is blue"
    faceless = drawn[4].picture[:300, :, :]
    assert abs(np.median(faceless) - 140) < 3
    assert faceless.max() > 220, "and says why"
