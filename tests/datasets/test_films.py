"""Films as cameras, phones and browsers write them, from the file to the rows of the index."""

import os
import subprocess
import sys
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest

from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.containers import open_video
from aacsfnet.datasets.display import without_comb
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.videos import VideoReader, name_of
from aacsfnet.tables import Fault
from tests.made_videos import write

LEVELS = range(40, 240, 4)  # 50 frames


def grey(levels=LEVELS, width=64, height=48):
    return (np.full((height, width, 3), level, np.uint8) for level in levels)


def inspect(folder, name):
    return VideoReader(DataFolder(folder), 64.0).inspect(name)


def pictures(folder, name, times):
    """Return the first frames of a film, which are shown at these times."""
    with closing(VideoReader(DataFolder(folder), 64.0)) as reader:
        return [reader.read(name_of(name, n), time) for n, time in enumerate(times)]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mts", "libx264", {"mpegts_m2ts_mode": "1"}),  # 192 bytes a packet
        ("a.m2ts", "mpeg2video", {}),
        ("a.ts", "libx264", {}),
        ("a.mpg", "mpeg2video", {}),
        ("a.3gp", "mpeg4", {}),
        ("a.wmv", "wmv2", {}),
        ("a.flv", "flv", {}),
        ("a.mxf", "mpeg2video", {}),
        ("a.mov", "prores", {}),
        ("a.mkv", "ffv1", {}),
        ("a.webm", "libvpx-vp9", {}),
    ],
)
def test_every_container_gives_all_frames_and_their_times(tmp_path, name, codec, options):
    pixels = {"prores": "yuv422p10le"}.get(codec, "yuv420p")
    # A programme stream gives a time to a frame only where one is as large as a real one.
    film = list(grey(LEVELS, 240, 120))
    for picture in film:
        picture[:, 80:] = np.random.default_rng(0).integers(0, 256, (120, 160, 3))
    write(tmp_path / name, film, codec=codec, pixels=pixels, options=options)
    timeline = inspect(tmp_path, name)
    # FLV counts the delay of its decoder; every other film begins at 0.
    start = 0.0 if not name.endswith("flv") else timeline.times[0]
    np.testing.assert_allclose(timeline.times, start + np.arange(50) / 25, atol=1.1e-3)
    assert not timeline.short
    found = pictures(tmp_path, name, timeline.times.tolist())
    off = np.array([picture[:, :64].mean() for picture in found]) - LEVELS
    assert np.abs(off).max() < 6
    assert abs(np.median(off)) < 3  # the next frame's would be 4


def test_a_browsers_recording_is_sampled_by_time_not_by_its_header(tmp_path, make_manifest):
    """Its header says 1000 frames a second, which is no rate but the unit of its times."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.integers(12, 52, 85)).tolist()
    write(tmp_path / "w.webm", grey(range(40, 210, 2)), times_ms=times, codec="libvpx")
    config = make_manifest("path,subject,label\nw.webm,a,1\n", index__videos={"rate": 5.0})
    rows = open_dataset(config).index()
    assert set(rows["status"]) == {"ok"}
    seconds = (times[-1] - times[0]) / 1000
    assert len(rows) == pytest.approx(5 * seconds + 1, abs=1)
    moments = times[0] / 1000 + np.arange(len(rows)) / 5
    np.testing.assert_allclose(rows["time_s"], moments, atol=0.03)
    known = {round(time / 1000, 3) for time in times}
    assert {round(time, 3) for time in rows["time_s"]} <= known


def test_labels_by_time_follow_presentation_times(tmp_path, make_manifest):
    """40 frames in the first second, then two and a half a second: the header's rate is neither."""
    times = [*range(0, 1000, 25), *range(1000, 9000, 400)]
    write(tmp_path / "p.mp4", grey(range(50, 170, 2)), times_ms=times)
    text = "path,subject,label,start,stop\np.mp4,a,1,0,1\np.mp4,a,2,1,5\np.mp4,a,3,5,9\n"
    dataset = open_dataset(make_manifest(text, index__videos={"rate": 5.0}))
    rows = dataset.index()
    assert set(rows["status"]) == {"ok"}
    expected = [1 + (time >= 1) + (time >= 5) for time in rows["time_s"]]
    assert rows["label"].to_list() == expected
    assert {*expected} == {1, 2, 3}
    numbers = [int(path[-6:]) for path in rows["path"]]
    assert [times[number] / 1000 for number in numbers] == pytest.approx(rows["time_s"].to_list())
    means = [picture.mean() for picture in dataset.pictures(rows)]
    np.testing.assert_allclose(means, [50 + 2 * number for number in numbers], atol=4)


def test_a_recording_that_breaks_off_has_a_row_that_says_so(tmp_path, make_manifest):
    rng = np.random.default_rng(0)
    noise = [rng.integers(20, 256, (48, 64, 3), np.uint8) for _ in range(100)]
    write(tmp_path / "t.mp4", noise, codec="mpeg4", options={"movflags": "faststart"})
    data = (tmp_path / "t.mp4").read_bytes()
    (tmp_path / "t.mp4").write_bytes(data[: len(data) // 2])
    for text in ("path,subject,label\nt.mp4,a,1\n", "path,subject,label,time\nt.mp4,a,1,0\n"):
        rows = open_dataset(make_manifest(text, index__videos={"rate": 5.0})).index()
        *taken, last = rows.iter_rows(named=True)
        assert {row["status"] for row in taken} == {"ok"}
        assert last["status"] == "unreadable"
        assert "that the file names are missing" in last["reason"]
        assert last["time_s"] is None


def test_films_without_pictures_are_named(tmp_path):
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
    silence.sample_rate = 44100
    for name in ("sound.m4v", "cover.m4v"):
        with av.open(str(tmp_path / name), "w", format="mp4") as container:
            sound: av.AudioStream = container.add_stream("aac", rate=44100, layout="mono")
            if name == "cover.m4v":
                cover: av.VideoStream = container.add_stream("mjpeg", rate=1)
                cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
                cover.disposition = av.stream.Disposition.attached_pic
                picture = av.VideoFrame.from_ndarray(next(grey()), "rgb24")
                container.mux(cover.encode(picture))
                container.mux(cover.encode())
            container.mux(sound.encode(silence))
            container.mux(sound.encode())
    assert "sound alone, no video stream" in inspect(tmp_path, "sound.m4v").reason
    assert "a picture of its cover, no video stream" in inspect(tmp_path, "cover.m4v").reason
    (tmp_path / "raw.h264").write_bytes(b"\0\0\0\1\x67" + bytes(900))
    assert "bare stream of frames without times" in inspect(tmp_path, "raw.h264").reason


def test_one_frame_is_a_film(tmp_path):
    write(tmp_path / "a.mp4", grey([90]))
    timeline = inspect(tmp_path, "a.mp4")
    assert timeline.times.tolist() == [0.0]
    assert timeline.taken(5.0) == [0]
    assert timeline.nearest(0.0, 1.0) == 0
    assert timeline.nearest(1.0, 2.0) is None


def test_transparency_lies_over_grey_and_deep_pixels_are_scaled(tmp_path):
    picture = np.zeros((48, 64, 4), np.uint8)
    picture[..., 0], picture[:, :32, 3] = 240, 255
    with av.open(str(tmp_path / "alpha.mov"), "w") as container:
        stream: av.VideoStream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgba")))
        container.mux(stream.encode())
    (shown,) = pictures(tmp_path, "alpha.mov", [0.0])
    np.testing.assert_array_equal(shown[:, :32], np.broadcast_to([240, 0, 0], (48, 32, 3)))
    np.testing.assert_array_equal(shown[:, 32:], 128)
    write(tmp_path / "deep.mkv", grey([60, 200]), codec="ffv1", pixels="gray12le")
    means = [picture.mean() for picture in pictures(tmp_path, "deep.mkv", [0.0, 0.04])]
    np.testing.assert_allclose(means, [60, 200], atol=2)


def test_interlaced_frames_lose_their_comb_and_still_ones_nothing():
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.integers(-2, 3, (96, 1, 3)), axis=0) + 128
    still = np.broadcast_to(smooth, (96, 128, 3)).astype(np.uint8)
    assert np.abs(without_comb(still).astype(int) - still).max() <= 1
    early, late = (np.full((96, 128, 3), 60, np.uint8) for _ in range(2))
    early[:, 40:70], late[:, 52:82] = 200, 200  # a bar that moves between the fields
    woven = early.copy()
    woven[1::2] = late[1::2]
    shown = without_comb(woven)
    assert np.abs(woven.astype(int) - early).mean() > 10
    assert np.abs(shown.astype(int) - early)[:-1].max() <= 8  # grey levels
    np.testing.assert_array_equal(shown[::2], woven[::2])


def test_an_interlaced_film_is_read_without_its_comb(tmp_path):
    woven = np.full((48, 64, 3), 60, np.uint8)
    woven[::2, 10:30], woven[1::2, 20:40] = 200, 200
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream: av.VideoStream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.options = {"flags": "+ilme+ildct"}
        stream.codec_context.bit_rate = 10_000_000
        stream.codec_context.sample_aspect_ratio = Fraction(1, 1)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(woven, "rgb24")))
        container.mux(stream.encode())
    with av.open(str(tmp_path / "a.mkv")) as container:
        first = next(container.decode(video=0))
    if not first.interlaced_frame:
        pytest.skip("this build of the encoder does not mark its frames")
    (shown,) = pictures(tmp_path, "a.mkv", [0.0])
    comb = np.abs(shown[2:46:2].astype(int) - shown[3:47:2]).mean()
    assert comb < np.abs(woven[2:46:2].astype(int) - woven[3:47:2]).mean() / 3


def test_a_header_that_claims_an_impossible_rate_is_refused(tmp_path):
    write(tmp_path / "a.avi", grey([60, 90, 120]), codec="mjpeg", pixels="yuvj420p")
    data = bytearray((tmp_path / "a.avi").read_bytes())
    stream = data.index(b"strh") + 8
    data[stream + 20 : stream + 28] = (1).to_bytes(4, "little") + (10**9).to_bytes(4, "little")
    (tmp_path / "a.avi").write_bytes(data)
    assert "frames a second is no rate" in inspect(tmp_path, "a.avi").reason


def test_the_film_library_gets_a_handle_and_no_path(tmp_path, monkeypatch):
    write(tmp_path / "a.mp4", grey())
    given = []
    opened = av.open
    monkeypatch.setattr(av, "open", lambda *a, **k: given.append((a, k)) or opened(*a, **k))
    video = open_video(DataFolder(tmp_path), "a.mp4")
    video.close()
    ((args, options),) = given
    assert not isinstance(args[0], str | os.PathLike)
    assert isinstance(args[0].name, int)
    assert options["format"] == "mov"
    with pytest.raises(ValueError, match="is not followed"):
        options["io_open"]("file:///etc/passwd", 0, {})


def test_a_film_whose_name_is_not_utf_8_is_read(tmp_path):
    write(tmp_path / "a.mp4", grey())
    try:
        (tmp_path / "a.mp4").rename(tmp_path / os.fsdecode(b"Andr\xe9.mp4"))
    except OSError:
        pytest.skip("the file system takes no such name")
    assert len(inspect(tmp_path, r"Andr\xe9.mp4").times) == 50


READ = """
import sys
from pathlib import Path
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.videos import VideoReader
reader = VideoReader(DataFolder(Path(sys.argv[1])), 64.0)
for name in sys.argv[2:]:
    reader.inspect(name)
    reader.read(f"{name}#0")
    reader.read(f"{name}#60")
"""


def test_the_film_library_writes_nothing(tmp_path):
    rng = np.random.default_rng(0)
    noise = [rng.integers(20, 256, (48, 64, 3), np.uint8) for _ in range(100)]
    for name, codec in (("a.mp4", "libx264"), ("b.avi", "mpeg4"), ("c.ts", "mpeg2video")):
        write(tmp_path / name, noise, codec=codec)
        data = bytearray((tmp_path / name).read_bytes())
        middle = len(data) // 3
        data[middle : middle + 900] = rng.bytes(900)
        (tmp_path / name).write_bytes(data)
        (tmp_path / f"half-{name}").write_bytes(data[: len(data) // 2])
    names = sorted(path.name for path in tmp_path.iterdir())
    command = [sys.executable, "-c", READ, str(tmp_path), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_file_that_names_others_opens_none(tmp_path):
    """A QuickTime reference movie, and lists under the name of a film."""
    secret = tmp_path / "secret.mp4"
    write(secret, grey())
    folder = tmp_path / "data"
    folder.mkdir()
    lists = {
        "hls.ts": f"#EXTM3U\n#EXTINF:1,\n{secret}\n",
        "concat.mov": f"ffconcat version 1.0\nfile '{secret}'\n",
        "sdp.mkv": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    }
    for name, text in lists.items():
        (folder / name).write_text(text * 20)
        assert isinstance(inspect(folder, name), Fault)
