"""Frames carry their number as brightness, so that the right frame can be told."""

from pathlib import Path

import numpy as np
import pytest

from aacsfnet.datasets.containers import container_of, is_video
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.timelines import Timeline
from aacsfnet.datasets.videos import VideoReader, name_of
from aacsfnet.tables import Fault
from tests.made_videos import write

LEVELS = list(range(30, 230, 4))  # 50 frames


@pytest.fixture
def reader(tmp_path):
    reader = VideoReader(DataFolder(tmp_path), 64.0)
    yield reader
    reader.close()


def grey(levels, side=64):
    for level in levels:
        yield np.full((side, side, 3), level, np.uint8)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_frames_are_those_asked_for_in_any_order(suffix, reader, make_video, tmp_path):
    make_video(tmp_path / f"a{suffix}", LEVELS)
    timeline = reader.inspect(f"a{suffix}")
    np.testing.assert_allclose(timeline.times, np.arange(50) / 25, atol=1e-3)
    assert timeline.end == pytest.approx(2.0, abs=2e-3)
    for number in (0, 1, 7, 49, 3, 3, 30):
        for time in (None, float(timeline.times[number])):
            pixels = reader.read(name_of(f"a{suffix}", number), time)
            assert pixels.shape == (64, 64, 3)
            assert abs(pixels.mean() - LEVELS[number]) < 4


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
    timeline = reader.inspect("a.avi")
    *taken, last = timeline.moments(timeline.taken(5.0))
    assert [moment.fault for moment in taken] == [None] * len(taken)
    assert last.number == len(timeline.times) < 30
    assert "its header claims 50 frames" in last.fault.reason


def test_frames_that_cannot_be_decoded_do_not_shift_the_others(reader, tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 80, (48, 64, 3), np.uint8) + level for level in range(20, 170, 3)]
    write(tmp_path / "a.mp4", noise, coding={"g": "10", "bf": "0"})
    timeline = reader.inspect("a.mp4")
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    (tmp_path / "a.mp4").write_bytes(data)
    found = [
        reader.read(name_of("a.mp4", number), time)
        for number, time in enumerate(timeline.times.tolist())
    ]
    sound = [n for n, picture in enumerate(found) if isinstance(picture, np.ndarray)]
    assert 25 < len(sound) < 50
    assert {*range(15), *range(40, 50)} <= {*sound}
    off = [abs(float(found[n].mean()) - float(noise[n].mean())) for n in sound]
    assert np.median(off) < 2


def test_times_of_a_variable_rate_are_real_and_sampled_evenly(reader, tmp_path):
    """Four of five frames lie in the first second, as phones do in good light."""
    times = [*range(0, 1000, 25), *range(1000, 5000, 400)]  # ms
    write(tmp_path / "a.mp4", grey(range(50, 50 + 3 * len(times), 3)), times_ms=times)
    timeline = reader.inspect("a.mp4")
    np.testing.assert_allclose(timeline.times, np.array(times) / 1000, atol=1e-3)
    taken = [times[number] for number in timeline.taken(5.0)]
    assert taken == [0, 200, 400, 600, 800, *range(1000, 5000, 400)]


def test_joined_camcorder_files_keep_one_clock(reader, tmp_path):
    write(tmp_path / "a.ts", grey(LEVELS), codec="mpeg2video")
    whole = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "a.ts").write_bytes(whole + whole)
    timeline = reader.inspect("a.ts")
    assert timeline.times[0] == pytest.approx(0.0, abs=1e-3)  # the stream's own clock begins later
    np.testing.assert_allclose(np.diff(timeline.times), 0.04, atol=1e-3)
    found = [reader.read(name_of("a.ts", n), timeline.times[n]) for n in range(100)]
    faults = [n for n, picture in enumerate(found) if isinstance(picture, Fault)]
    assert len(faults) <= 1  # the library calls one before the seam damaged
    means = [picture.mean() for picture in found if not isinstance(picture, Fault)]
    np.testing.assert_allclose(means, np.delete(LEVELS * 2, faults), atol=4)


@pytest.mark.parametrize("length", [188, 192, 204])
def test_transport_packets_of_all_lengths_cut_anywhere(length, reader, tmp_path):
    write(tmp_path / "a.ts", grey(LEVELS), codec="mpeg2video")
    plain = (tmp_path / "a.ts").read_bytes()
    packets = [plain[at : at + 188] for at in range(0, len(plain), 188)]
    before = bytes(4) if length == 192 else b""
    data = b"".join(before + each + bytes(length - 188 - len(before)) for each in packets)
    (tmp_path / "b.mts").write_bytes(data[50:])  # the first packet, which is a table, lacks
    timeline = reader.inspect("b.mts")
    assert len(timeline.times) == 50
    assert abs(reader.read("b.mts#49", timeline.times[49]).mean() - LEVELS[49]) < 4


def test_a_black_frame_is_told(reader, make_video, tmp_path):
    make_video(tmp_path / "a.avi", [0, 100])
    assert reader.read("a.avi#000000").status == "black"
    assert isinstance(reader.read("a.avi#000001"), np.ndarray)


def test_large_frames_are_refused(make_video, tmp_path):
    make_video(tmp_path / "a.avi", [100], side=256)
    fault = VideoReader(DataFolder(tmp_path), 0.05).inspect("a.avi")
    assert isinstance(fault, Fault)
    assert "megapixels" in fault.reason


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed on Linux")
def test_no_file_stays_open(reader, make_video, tmp_path):
    make_video(tmp_path / "a.avi", LEVELS[:5])
    make_video(tmp_path / "b.avi", LEVELS[:5])
    (tmp_path / "c.avi").write_bytes(b"RIFF\0\0\0\0AVI LIST")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        reader.inspect("a.avi")
        reader.inspect("c.avi")
        for name in ("a.avi#0", "b.avi#4", "b.avi#9"):
            reader.read(name)
    reader.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.parametrize(
    ("own", "rate", "frames"),
    [(25, 5, 138), (30, 7, 100), (29.97, 10, 300), (5, 25, 10), (24, 24, 48), (25, 10, 138)],
)
def test_frames_taken_of_an_even_rate_are_even_distinct_and_nearest(own, rate, frames):
    taken = Timeline(np.arange(frames) / own + 7.3).taken(rate)
    assert taken == sorted(set(taken))
    assert taken[0] == 0
    assert taken[-1] < frames
    step = max(1, own / rate)
    expected = [int(place * step + 0.5 + 1e-9) for place in range(frames)]
    assert taken == [number for number in expected if number < frames]


def test_frames_taken_of_any_times_are_the_nearest():
    rng = np.random.default_rng(0)
    for _ in range(200):
        times = np.cumsum(rng.exponential(rng.uniform(0.01, 1), rng.integers(1, 60)))
        rate = float(rng.uniform(0.5, 40))
        moments = np.arange(times[0], times[-1], 1 / rate)
        nearest = {int(np.abs(times - moment).argmin()) for moment in moments}
        taken = Timeline(times).taken(rate)
        assert taken == sorted(set(taken))
        assert nearest <= {*taken} <= nearest | {len(times) - 1}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\0\0\0\x20ftypisom", "mov"),
        (b"RIFF\0\0\0\0AVI LIST", "avi"),
        (b"RIFF\0\0\0\0WAVEfmt ", ""),
        (b"XXXX\0\0\0\0AVI LIST", ""),
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (3 * (b"\x47" + bytes(187)), "mpegts"),
        (b"\x47" + bytes(600), ""),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1", ""),
        (b"#EXTM3U\n", ""),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n" * 9, ""),
        (b"", ""),
    ],
)
def test_containers_are_known_by_their_first_bytes(start, expected):
    assert container_of(start) == expected


def test_videos_are_known_by_their_names():
    for name in ("a.MTS", "b/c.ts", "a.m2ts", "a.3gp", "a.ogv", "x.y.WebM", "a.dv", "a.mxf"):
        assert is_video(name)
    for name in ("a.png", "mts", "a.mp4.txt", "a.csv", ""):
        assert not is_video(name)
