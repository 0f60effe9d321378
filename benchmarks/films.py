"""Films: what is read of them against ffprobe, how fast, and how fast their faces are scored.

    python benchmarks/films.py table
    python benchmarks/films.py speed
    python benchmarks/films.py predict --model results/demo/experiments/full/seed-1/fold-0
    python benchmarks/films.py memory --model results/demo/experiments/full/seed-1/fold-0

Needs `ffmpeg` and `ffprobe`. Each writes benchmarks/results/films-<what>-<date>.json with machine,
versions and commit.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.streams import open_stream
from aacsfnet.datasets.videos import VideoReader, name_of
from aacsfnet.inference.predict import predict
from aacsfnet.rendering.render import render
from aacsfnet.rendering.sequences import frames_of, person_of
from aacsfnet.software import commit, versions
from aacsfnet.tables import Fault
from aacsfnet.times import peak_mib

RESULTS = Path(__file__).parent / "results"
_SHOWN = "-f lavfi -i testsrc2=size=320x240:rate=25:duration=2"
_UNEVEN = "-vf settb=1/1000,setpts='N*35+mod(N*N*7,29)' -vsync passthrough"
_PHONE = "-vf settb=1/1000,setpts='if(lt(N,40),N*25,N*400-15000)' -vsync passthrough"
_X265 = "-c:v libx265 -x265-params log-level=none"

#: name -> how ffmpeg makes it; a file that another is made of stands before it.
FILMS = {
    "h264.mp4": f"{_SHOWN} -c:v libx264 -pix_fmt yuv420p",
    "hevc.mov": f"{_SHOWN} {_X265}",
    "mpeg4.avi": f"{_SHOWN} -c:v mpeg4",
    "mjpeg.avi": f"{_SHOWN} -c:v mjpeg",
    "browser-vp8.webm": f"{_SHOWN} {_UNEVEN} -c:v libvpx -r 1000 -enc_time_base 1:1000",
    "vp9.webm": f"{_SHOWN} -c:v libvpx-vp9 -auto-alt-ref 1 -lag-in-frames 16",
    "av1.mkv": f"{_SHOWN} -c:v libaom-av1 -cpu-used 8",
    "packets-188-mpeg2.ts": f"{_SHOWN} -c:v mpeg2video -bf 2",
    "packets-192-h264.mts": f"{_SHOWN} -c:v libx264 -f mpegts -mpegts_m2ts_mode 1",
    "interlaced-h264.m2ts": f"{_SHOWN} -vf tinterlace=interleave_top -c:v libx264 -x264opts "
    "interlaced=1 -f mpegts -mpegts_m2ts_mode 1",
    "interlaced-mpeg2.mpg": f"{_SHOWN} -vf tinterlace=interleave_top -flags +ilme+ildct "
    "-c:v mpeg2video -f vob",
    "interlaced.dv": "-f lavfi -i testsrc2=size=720x576:rate=25:duration=1 -c:v dvvideo "
    "-pix_fmt yuv420p",
    "h263.3gp": f"{_SHOWN} -c:v h263 -s 352x288",
    "theora.ogv": f"{_SHOWN} -c:v libtheora",
    "wmv2.wmv": f"{_SHOWN} -c:v wmv2",
    "h264.flv": f"{_SHOWN} -c:v libx264",
    "mpeg2.mxf": f"{_SHOWN} -c:v mpeg2video",
    "turned.mp4": "-i {}/h264.mp4 -c copy -metadata:s:v rotate=90",
    "phone-uneven.mp4": f"{_SHOWN} {_PHONE} -c:v libx264",
    "anamorphic.mp4": f"{_SHOWN} -vf setsar=64/45 -c:v libx264",
    "alpha.mov": f"{_SHOWN} -c:v qtrle -pix_fmt argb",
    "alpha.webm": f"{_SHOWN} -c:v libvpx -auto-alt-ref 0 -pix_fmt yuva420p",
    "12-bit.mkv": f"{_SHOWN} {_X265} -pix_fmt yuv420p12le",
    "edited.mp4": "-ss 0.9 -i {}/h264.mp4 -c copy",
    "one-frame.mp4": f"{_SHOWN} -frames:v 1",
    "no-frame.mp4": f"{_SHOWN} -frames:v 0",
    "sound.mp4": "-f lavfi -i sine=duration=1",
    "index-first.mp4": "-i {}/h264.mp4 -c copy -movflags +faststart",
}
#: name -> film that it is a part of, the part's share, and bytes put in place of others.
DAMAGED = {
    "truncated.mp4": ("index-first.mp4", 0.6),
    "truncated.ts": ("packets-188-mpeg2.ts", 0.5),
    "index-lost.mp4": ("h264.mp4", 0.6),
}


def make(folder: Path) -> list[Path]:
    """Write all films; return them."""
    for name, how in FILMS.items():
        command = ["ffmpeg", "-v", "fatal", "-y", *how.format(folder).split(), str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    for name, (whole, share) in DAMAGED.items():
        data = (folder / whole).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])
    lying = bytearray((folder / "mpeg4.avi").read_bytes())
    for place in (lying.index(b"avih") + 8 + 16, lying.index(b"strh") + 8 + 32):
        lying[place : place + 4] = (999_999).to_bytes(4, "little")
    (folder / "claims-999999-frames.avi").write_bytes(lying)
    return [folder / name for name in (*FILMS, *DAMAGED, "claims-999999-frames.avi")]


def probed(path: Path) -> tuple[list[float | None], float]:
    """Return the times of a film's frames as ffprobe lists them, and when the file starts."""
    entries = "frame=best_effort_timestamp_time:format=start_time"
    command = f"ffprobe -v quiet -threads 1 -select_streams v -show_entries {entries} -of json"
    done = subprocess.run([*command.split(), str(path)], capture_output=True, text=True)
    said = json.loads(done.stdout or "{}")
    times = [frame.get("best_effort_timestamp_time") for frame in said.get("frames", [])]
    return [None if each is None else float(each) for each in times], float(
        said.get("format", {}).get("start_time", 0.0)
    )


def table() -> dict:
    """What is read of each film beside what ffprobe lists."""
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        for path in make(Path(name)):
            listed, start = probed(path)
            reader = VideoReader(DataFolder(path.parent), 64.0)
            timeline = reader.inspect(path.name)
            row: dict[str, Any] = {"ffprobe": len(listed)}
            rows[path.name] = row
            if isinstance(timeline, Fault):
                row["reason"] = timeline.reason
                continue
            read = [
                reader.read(name_of(path.name, number), time)
                for number, time in enumerate(timeline.times.tolist())
            ]
            reader.close()
            streamed = list(open_stream(DataFolder(path.parent), path.name, 64.0))
            sound = [n for n, picture in enumerate(read) if not isinstance(picture, Fault)]
            row["read"] = len(sound)
            # A camcorder's clock starts anywhere; ours starts with the file.
            shift = start if path.suffix in (".ts", ".mts", ".m2ts", ".mpg") else 0.0
            pairs = zip(timeline.times[sound], listed, strict=False)
            apart = [abs(ours - theirs + shift) for ours, theirs in pairs if theirs is not None]
            row["most apart, ms"] = round(1e3 * max(apart), 3)
            row["without a time in ffprobe"] = listed.count(None)
            seen = [each.time_s for each in streamed if each.damage is None]
            row["stream gives the same"] = len(seen) == len(sound) and np.allclose(
                seen, timeline.times[sound], atol=1e-6
            )
            row["shown"] = "x".join(map(str, read[sound[0]].shape[1::-1]))
            faults = [each.reason for each in read if isinstance(each, Fault)]
            if faults or timeline.short:
                row["reason"] = "; ".join([*faults[:1], *([timeline.short] * bool(timeline.short))])
    return {"ffprobe": _first_line("ffprobe -version"), "films": rows}


def _first_line(command: str) -> str:
    return subprocess.run(command.split(), capture_output=True, text=True).stdout.split("\n")[0]


#: name -> size and how it is encoded, for speed
_KINDS = {
    "640x480 h264.mp4": ("640x480", "-c:v libx264 -crf 23"),
    "1388x1038 h264.mp4": ("1388x1038", "-c:v libx264 -crf 23"),
    "1920x1080 h264.mp4": ("1920x1080", "-c:v libx264 -crf 23"),
    "640x480 hevc.mp4": ("640x480", _X265),
    "640x480 vp8.webm": ("640x480", "-c:v libvpx -b:v 2M -deadline realtime -cpu-used 8"),
    "640x480 mjpeg.avi": ("640x480", "-c:v mjpeg -q:v 4"),
    "640x480 mpeg4.avi": ("640x480", "-c:v mpeg4 -q:v 4"),
}


#: of each film for speed
_FRAMES = 100


def speed(rounds: int) -> dict:
    """Milliseconds a decoded frame, by bare OpenCV and by the reader, in turn; medians of rounds.

    Once every frame becomes a picture, once every fifth, as at `index.videos.rate` 5.
    """
    result: dict = {"rounds": rounds}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for film, (size, how) in _KINDS.items():
            source = f"testsrc2=size={size}:rate=25:duration=4,noise=alls=6:allf=t"
            command = f"ffmpeg -v error -y -f lavfi -i {source} {how} -pix_fmt yuv420p"
            subprocess.run([*command.split(), str(folder / film)], check=True)
            result[film] = row = {}
            for step in (1, 5):
                works = {
                    "opencv": lambda step=step, film=film: used_up(by_opencv(folder / film, step)),
                    "reader": lambda step=step, film=film: used_up(by_reader(folder / film, step)),
                }
                row[f"every {step}"] = in_turn(works, _FRAMES, rounds)
            pairs = zip(by_opencv(folder / film, 1), by_reader(folder / film, 1), strict=True)
            row["grey levels apart, most"] = max(
                int(np.abs(one.astype(int) - other).max()) for one, other in islice(pairs, 50)
            )
            started = time.perf_counter()
            VideoReader(DataFolder(folder), 64.0).inspect(film)
            row["inspection, ms a film"] = 1e3 * (time.perf_counter() - started)
    return result


def used_up(pictures: Iterator[np.ndarray]) -> None:
    """Take one picture after the other, as a stage does."""
    for _ in pictures:
        pass


def by_opencv(path: Path, step: int) -> Iterator[np.ndarray]:
    """Yield each `step`-th frame, RGB."""
    capture, number = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), 0
    while capture.grab():
        if number % step == 0:
            yield cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
        number += 1
    capture.release()


def by_reader(path: Path, step: int) -> Iterator[np.ndarray]:
    """Yield each `step`-th frame as the crop stage gets it."""
    reader = VideoReader(DataFolder(path.parent), 64.0)
    for number in range(0, _FRAMES, step):
        picture = reader.read(name_of(path.name, number), number / 25)
        assert isinstance(picture, np.ndarray), picture
        yield picture
    reader.close()


def in_turn(works: dict[str, Callable[[], Any]], frames: int, rounds: int) -> dict:
    """Return medians of milliseconds a frame, by the clock and of this process, and of the ratios.

    Of the ratios by the clock also the quartiles.
    """
    taken: dict[str, list[tuple[float, float]]] = {label: [] for label in works}
    for round_ in range(rounds + 1):  # the first only loads libraries
        for label, work in works.items():
            cpu, wall = time.process_time(), time.perf_counter()
            work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if round_:
                taken[label].append((1e3 * wall / frames, 1e3 * cpu / frames))
    first, *others = works
    found: dict = {
        label: dict(zip(("wall_ms", "cpu_ms"), np.median(taken[label], axis=0), strict=True))
        for label in works
    }
    for label in others:
        ratios = np.divide(taken[label], taken[first])
        found[f"{label} / {first}"] = dict(
            zip(("wall", "cpu"), np.median(ratios, axis=0), strict=True)
        ) | {"wall, quartiles": np.percentile(ratios[:, 0], (25, 75)).tolist()}
    return found


def write_faces(path: Path, frames: int, size: tuple[int, int], rate: int = 25) -> None:
    """Write a film of one rendered person, `size` (height, width), that has no cuts."""
    made = [
        render(person_of(5, 1), f.expression, f.pose, f.light, f.lens, size).picture
        for f in frames_of(5, 1, 0, min(frames, 60))
    ]
    once = path.with_name(f"once-{path.name}")
    command = (
        f"ffmpeg -v error -y -f rawvideo -pix_fmt rgb24 -s {size[1]}x{size[0]} -r {rate} -i - "
        f"-c:v libx264 -preset veryfast -pix_fmt yuv420p -threads 1 {once}"
    )
    with subprocess.Popen(command.split(), stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for picture in (*made, *made[-2:0:-1]):  # there and back
            process.stdin.write(picture.tobytes())
    command = f"ffmpeg -v error -y -stream_loop -1 -i {once} -c copy -frames:v {frames} {path}"
    subprocess.run(command.split(), check=True, stdin=subprocess.DEVNULL)
    once.unlink()


def predicting(model: Path, frames: int = 1000, rounds: int = 5) -> dict:
    """Milliseconds a frame of a film of 640 x 480: decoding and MediaPipe alone, and the command.

    MediaPipe's tracking and its search of every frame are both told; ours follows the face, with
    a search every 25 frames.
    """
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with tempfile.TemporaryDirectory() as name:
        film = Path(name) / "faces.mp4"
        write_faces(film, frames, (480, 640))

        def bare(static: bool) -> None:
            with FaceMesh(static_image_mode=static, refine_landmarks=True) as network:
                for picture in by_opencv(film, 1):
                    network.process(picture)

        def command() -> None:
            predict([film], model, Path(name) / "rows.csv", mode="video", device="cpu")

        works = {
            "decoding + MediaPipe, tracking": lambda: bare(False),
            "decoding + MediaPipe, every frame searched": lambda: bare(True),
            "aacsfnet predict --mode video": command,
        }
        found = in_turn(works, frames, rounds)
        rows = (Path(name) / "rows.csv").read_text().splitlines()
        assert len(rows) == frames + 1
        wall = found["aacsfnet predict --mode video"]["wall_ms"]
        ratios = {
            key: found["aacsfnet predict --mode video"]["wall_ms"] / found[key]["wall_ms"]
            for key in list(works)[:2]
        }
    speed = {"frames a second": 1e3 / wall, "real time": 40 / wall}
    return {"frames": frames, "rounds": rounds} | found | {"ratios": ratios} | speed


def memory(model: Path, size: tuple[int, int]) -> dict:
    """Peak memory of `aacsfnet predict` over films of 5 and of 60 minutes, 25 frames a second."""
    new_process = get_context("spawn")
    found: dict = {"size": f"{size[1]}x{size[0]}"}
    with tempfile.TemporaryDirectory() as name:
        for minutes in (5, 60):
            film = Path(name) / f"{minutes}.mp4"
            write_faces(film, minutes * 60 * 25, size)
            with new_process.Pool(1) as pool:
                found[f"{minutes} min"] = pool.apply(peak_of, (film, model))
            film.unlink()
    return found | {"60 / 5": found["60 min"]["peak_mib"] / found["5 min"]["peak_mib"]}


def peak_of(film: Path, model: Path) -> dict:
    """Return this process's peak memory after a film, MiB, and how long it took."""
    started = time.perf_counter()
    output = film.with_suffix(".csv")
    predict([film], model, output, mode="video", device="cpu")
    rows = sum(1 for _ in output.open()) - 1
    output.unlink()
    peak = peak_mib()
    return {"peak_mib": peak, "rows": rows, "seconds": round(time.perf_counter() - started)}


WHAT: dict[str, Callable[[argparse.Namespace], dict]] = {
    "table": lambda _: table(),
    "speed": lambda given: speed(given.rounds),
    "predict": lambda given: predicting(given.model, given.frames, given.rounds),
    "memory": lambda given: memory(given.model, (given.height, given.height * 4 // 3)),
}


def main() -> None:
    """Measure what was asked for and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(WHAT))
    parser.add_argument("--model", type=Path, help="folder of a trained network, for predict")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median counts")
    parser.add_argument("--frames", type=int, default=1000, help="of the film for predict")
    parser.add_argument("--height", type=int, default=480, help="of the film for memory")
    given = parser.parse_args()
    if given.what in ("predict", "memory") and given.model is None:
        parser.error("--model is needed")
    started, load = time.perf_counter(), f"load {os.getloadavg()[0]:.1f} at the start"
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        load += ", which this process is scheduled before (chrt)"
    found = WHAT[given.what](given)
    packages = ("av", "mediapipe", "numpy", "opencv-python-headless", "torch")
    report = {
        "what": f"films {given.what}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {load}",
        "versions": versions(*packages) | {"python": platform.python_version()},
        "commit": commit(),
        "seconds": round(time.perf_counter() - started),
        "result": found,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"films-{given.what}-{report['date'][:10]}.json"
    path.write_text(json.dumps(report, indent=2, default=float) + "\n")
    print(json.dumps(found, indent=2, default=float))
    print(path)


if __name__ == "__main__":
    main()
