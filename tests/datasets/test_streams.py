"""Frames carry their number as brightness, and a red corner that tells how they were turned."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from aacsfnet.datasets.display import turn
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.streams import open_stream
from aacsfnet.tables import Fault
from tests.made_videos import write

LEVELS = range(40, 240, 5)  # 40 frames


def frames(levels=LEVELS, width=64, height=48):
    for level in levels:
        picture = np.full((height, width, 3), level, np.uint8)
        picture[:10, :16] = 200, 20, 20
        yield picture


def read(folder, name, megapixels=64.0):
    stream = open_stream(DataFolder(folder), name, megapixels)
    assert not isinstance(stream, Fault), stream
    with stream:
        return list(stream)


def fault(folder, name, megapixels=64.0):
    found = open_stream(DataFolder(folder), name, megapixels)
    assert isinstance(found, Fault)
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_times_are_those_of_a_variable_frame_rate(tmp_path, suffix):
    times = np.cumsum(np.random.default_rng(0).integers(10, 400, len(LEVELS))).tolist()
    write(tmp_path / f"a{suffix}", frames(), times_ms=times)
    found = read(tmp_path, f"a{suffix}")
    assert [each.number for each in found] == list(range(len(LEVELS)))
    assert [each.time_s for each in found] == pytest.approx(np.array(times) / 1000, abs=1e-3)
    means = [each.picture[20:, 20:].mean() for each in found]
    np.testing.assert_allclose(means, LEVELS, atol=3)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx265", "yuv420p"),
        ("a.mp4", "mpeg4", "yuv420p"),
        ("a.mkv", "libx265", "yuv420p10le"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.webm", "libvpx", "yuv420p"),
        ("a.mts", "mpeg4", "yuv420p"),
        ("a.mp4", "libx264", "yuv444p"),
    ],
)
def test_codecs_and_odd_sizes(tmp_path, name, codec, pixels):
    width, height = (65, 49) if pixels == "yuv444p" or codec == "mjpeg" else (64, 48)
    write(tmp_path / name, frames(range(60, 160, 10), width, height), codec=codec, pixels=pixels)
    found = read(tmp_path, name)
    assert {each.picture.shape for each in found} == {(height, width, 3)}
    means = [each.picture[20:, 20:].mean() for each in found]
    np.testing.assert_allclose(means, range(60, 160, 10), atol=4)
    red, green, blue = found[0].picture[2:8, 2:12].reshape(-1, 3).mean(axis=0)
    assert red > 150 > 80 > max(green, blue)
    assert np.diff([each.time_s for each in found]) == pytest.approx([0.04] * 9, abs=1e-3)


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_a_phones_video_stands_upright(tmp_path, degrees):
    (plain,) = frames([60])
    write(tmp_path / "a.mp4", [plain] * 3, degrees=degrees)
    shown = np.rot90(plain, degrees // 90)
    for each in read(tmp_path, "a.mp4"):
        assert each.picture.shape == shown.shape
        assert np.abs(each.picture.astype(int) - shown).mean() < 4


@pytest.mark.parametrize("matrix", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0)])
def test_a_mirrored_picture_is_turned_as_the_matrix_says(matrix):
    a, b, c, d = matrix
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    turned = turn(picture, np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32))
    places = {(a * x + c * y, b * x + d * y): picture[y, x] for y in range(3) for x in range(5)}
    left, top = np.min(list(places), axis=0)
    for (x, y), colour in places.items():
        np.testing.assert_array_equal(turned[y - top, x - left], colour)


def test_pixels_are_made_square(tmp_path):
    for name, aspect, shape in (
        ("wide", Fraction(4, 3), (48, 85)),
        ("high", Fraction(1, 2), (96, 64)),
    ):
        write(tmp_path / f"{name}.mp4", frames([60]), aspect=aspect)
        (one,) = read(tmp_path, f"{name}.mp4")
        assert one.picture.shape[:2] == shape
        red = (one.picture[..., 0] > 150).nonzero()
        assert [red[0].max() + 1, red[1].max() + 1] == pytest.approx(
            [10 * shape[0] / 48, 16 * shape[1] / 64], abs=2.5
        )


def test_colours_are_those_of_opencv(tmp_path):
    noise = cv2.resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (64, 48))
    write(tmp_path / "a.mp4", [noise] * 2)
    other = cv2.VideoCapture(str(tmp_path / "a.mp4"), cv2.CAP_FFMPEG)
    for each in read(tmp_path, "a.mp4"):
        _, bgr = other.read()
        np.testing.assert_array_equal(each.picture, bgr[..., ::-1])


@pytest.mark.parametrize(
    ("name", "codec", "words"),
    [
        ("a.mkv", "mpeg4", "its container claims"),
        ("a.avi", "mjpeg", "its header claims 100 frames"),
        ("a.mp4", "mpeg4", "more that the file names are missing"),
    ],
)
def test_a_truncated_video_gives_its_frames_and_tells_where_it_ends(tmp_path, name, codec, words):
    rng = np.random.default_rng(0)
    noise = [rng.integers(20, 256, (48, 64, 3), np.uint8) for _ in range(100)]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    early = {"movflags": "faststart"} if name.endswith("mp4") else {}
    write(tmp_path / name, noise, codec=codec, pixels=pixels, options=early)
    whole = (tmp_path / name).read_bytes()
    before = read(tmp_path, name)
    assert len(before) == 100
    assert not any(isinstance(each.picture, Fault) for each in before)
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    *good, last = read(tmp_path, name)
    assert 30 < len(good) < 70
    assert last.number == len(good)
    assert last.picture.status == "unreadable"
    assert words in last.picture.reason


def test_a_hole_in_the_data_is_told_frame_by_frame_and_the_rest_is_read(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(20, 256, (48, 64, 3), np.uint8) for _ in range(100)]
    write(tmp_path / "a.mp4", noise, codec="mpeg4")
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "a.mp4").write_bytes(data)
    found = read(tmp_path, "a.mp4")
    assert [each.number for each in found] == list(range(len(found)))
    bad = [each.number for each in found if isinstance(each.picture, Fault)]
    assert 1 <= len(bad) <= 20
    assert 30 < min(bad) < max(bad) < 80
    assert all(
        each.picture.reason.startswith(f"frame {each.number} ")
        for each in map(found.__getitem__, bad)
    )


def test_black_frames_and_large_ones_are_told(tmp_path):
    write(tmp_path / "a.mp4", [np.zeros((48, 64, 3), np.uint8), *frames([60])])
    assert [getattr(each.picture, "status", "") for each in read(tmp_path, "a.mp4")] == [
        "black",
        "",
    ]
    assert "megapixels" in fault(tmp_path, "a.mp4", 0.001).reason


def test_what_is_no_video_is_told_and_nothing_it_names_is_opened(tmp_path):
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "half.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(100))
    (tmp_path / "pipe.mp4").symlink_to("/dev/zero")
    assert "is no video" in fault(tmp_path, "list.mp4").reason
    assert "0 bytes" in fault(tmp_path, "empty.mp4").reason
    assert "no video that can be read" in fault(tmp_path, "half.mp4").reason
    assert fault(tmp_path, "pipe.mp4").status in ("outside_root", "unreadable")
    assert fault(tmp_path, "gone.mp4").status == "missing_file"


def test_sound_alone_is_no_video(tmp_path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44100
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    assert "no video stream" in fault(tmp_path, "a.mp4").reason
