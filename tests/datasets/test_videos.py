"""Frames carry their number as brightness, so that the right frame can be told."""

import numpy as np
import pytest

from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.videos import VideoHeader, VideoReader, is_container, name_of
from aacsfnet.tables import Fault

LEVELS = list(range(30, 230, 4))  # 50 frames


@pytest.fixture
def reader(tmp_path):
    reader = VideoReader(DataFolder(tmp_path), 64.0)
    yield reader
    reader.close()


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_frames_are_those_asked_for_in_any_order(suffix, reader, make_video, tmp_path):
    make_video(tmp_path / f"a{suffix}", LEVELS)
    header = reader.inspect(f"a{suffix}")
    assert header == VideoHeader(50, 25.0)
    for number in (0, 1, 7, 49, 3, 3, 30):
        pixels = reader.read(name_of(f"a{suffix}", number))
        assert pixels.shape == (64, 64, 3)
        assert abs(pixels.mean() - LEVELS[number]) < 4


def test_colours_are_rgb(reader, tmp_path):
    import cv2

    codec = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.CAP_FFMPEG, codec, 25, (64, 64))
    writer.write(np.full((64, 64, 3), (10, 20, 220), np.uint8))  # BGR: red
    writer.release()
    red, green, blue = reader.read("a.avi#000000").reshape(-1, 3).mean(0)
    assert red > 200
    assert max(green, blue) < 50


def test_two_videos_in_turn_do_not_mix(reader, make_video, tmp_path):
    make_video(tmp_path / "a.avi", [50] * 5)
    make_video(tmp_path / "b.avi", [200] * 5)
    means = [reader.read(name).mean() for name in ("a.avi#1", "b.avi#1", "a.avi#2", "b.avi#0")]
    np.testing.assert_allclose(means, [50, 200, 50, 200], atol=4)


def test_a_truncated_video_gives_its_frames_and_says_where_it_ends(reader, make_video, tmp_path):
    make_video(tmp_path / "a.avi", LEVELS)
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) // 2])
    assert abs(reader.read("a.avi#000003").mean() - LEVELS[3]) < 4
    fault = reader.read("a.avi#000049")
    assert fault.status == "unreadable"
    assert "frame 49 cannot be decoded" in fault.reason


def test_a_black_frame_is_told(reader, make_video, tmp_path):
    make_video(tmp_path / "a.avi", [0, 100])
    assert reader.read("a.avi#000000").status == "black"
    assert isinstance(reader.read("a.avi#000001"), np.ndarray)


def test_large_frames_are_refused(make_video, tmp_path):
    make_video(tmp_path / "a.avi", [100], side=256)
    fault = VideoReader(DataFolder(tmp_path), 0.05).inspect("a.avi")
    assert isinstance(fault, Fault)
    assert "megapixels" in fault.reason


@pytest.mark.parametrize(
    ("own", "rate", "frames"),
    [(25, 5, 138), (30, 7, 100), (29.97, 10, 300), (5, 25, 10), (24, 24, 48)],
)
def test_frames_taken_are_even_distinct_and_nearest(own, rate, frames):
    taken = VideoHeader(frames, own).taken(rate)
    assert taken == sorted(set(taken))
    assert taken[0] == 0
    assert taken[-1] < frames
    step = max(1, own / rate)
    assert all(abs(number - place * step) <= 0.5 for place, number in enumerate(taken))
    assert abs(len(taken) - frames / step) <= 1


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\0\0\0\x20ftypisom", True),
        (b"RIFF\0\0\0\0AVI LIST", True),
        (b"RIFF\0\0\0\0WAVEfmt ", False),
        (b"\x1a\x45\xdf\xa3", True),
        (b"\x47" + bytes(187) + b"\x47", True),
        (b"\x47" + bytes(191), False),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1", False),
        (b"", False),
    ],
)
def test_containers_are_known_by_their_first_bytes(start, expected):
    assert is_container(start) == expected
