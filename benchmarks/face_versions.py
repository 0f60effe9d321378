"""Two versions of the face stages on the same pictures, in turn: how long they take, how exact.

    python -m benchmarks.face_versions --before ../before --frames 200 --faces 100 --rounds 5

`--before` is another checkout of this repository; "after" is this one. Speed: CPU milliseconds a
frame of 640 x 480 JPEGs, of the stages in still and video mode and of decoding with MediaPipe's own
face mesh, every frame searched ("bare"); each process warms up first, rounds alternate, so that
other work on the machine meets all alike. Exactness: the error of all 478 points on rendered faces
up to yaw 45, pitch 25 and roll 30 degrees, in interocular distances.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from aacsfnet.datasets.index import index
from aacsfnet.faces.geometry import eye_distance
from aacsfnet.rendering.render import Pose
from benchmarks.faces import drawn, film
from benchmarks.records import record

#: What each process does in its checkout: prints JSON. `folder` holds the film and the faces.
WORK = """
import json, sys, time
from pathlib import Path
import cv2, numpy as np
cv2.setNumThreads(1)
what, folder = sys.argv[1], Path(sys.argv[2])
if what == "faces":
    from aacsfnet.faces import FaceExtractor
    found = []
    with FaceExtractor() as extractor:
        for file in sorted(folder.glob("face-*.png")):
            faces = extractor.find(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB))
            found.append(faces[0].landmarks_in_frame.tolist() if faces else None)
    print(json.dumps(found))
    sys.exit()
if what == "bare":
    from mediapipe.python.solutions.face_mesh import FaceMesh
    files = sorted(folder.glob("0-*.jpg"))
    def work():
        network = FaceMesh(static_image_mode=True, refine_landmarks=True)
        for file in files:
            network.process(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB))
        network.close()
else:
    from aacsfnet import tables
    from aacsfnet.config import validate
    from aacsfnet.faces.crop import crop
    from aacsfnet.faces.landmarks import landmarks
    blocks = {"crop": {"mode": what}, "landmarks": {"mode": what}}
    manifest = {"manifest": {"file": str(folder / "film.csv")}, "shard_frames": 100_000}
    config = validate({"dataset": "manifest", "index": manifest} | blocks)
    shard = tables.read(folder / "index")["shard"][0]
    def work():
        crop(config, folder / "index", shard, folder / "crop")
        landmarks(config, folder / "crop", folder / "landmarks")
        assert (tables.read(folder / "landmarks")["status"] == "ok").all()
work()
started = time.process_time()
work()
print(json.dumps(time.process_time() - started))
"""


def worked(checkout: Path, what: str, folder: Path) -> object:
    """Return what a process in a checkout printed."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORK, what, str(folder)]
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def speed(checkouts: dict[str, Path], folder: Path, frames: int, rounds: int) -> dict:
    """Return medians of CPU milliseconds a frame, and their ratios by round."""
    config = film(folder, frames)
    index(config, folder / "index")
    works = [("bare", "after")] + [(m, v) for m in ("still", "video") for v in checkouts]
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for what, version in works:
            seconds = worked(checkouts[version], what, folder)
            name = what if what == "bare" else f"{what}, {version}"
            taken.setdefault(name, []).append(1e3 * float(seconds) / frames)  # type: ignore[arg-type]
    result: dict = {name: float(np.median(each)) for name, each in taken.items()}
    for mode in ("still", "video"):
        own = np.array(taken[f"{mode}, after"])
        for name, other in (("before", f"{mode}, before"), ("bare", "bare")):
            ratios = own / np.array(taken[other])
            median = float(np.median(ratios))
            result[f"{mode}: after / {name}"] = {"median": median, "rounds": ratios.tolist()}
    return {"frames": frames, "cpu_ms": result}


def error_of(mesh: np.ndarray, true: np.ndarray) -> float:
    """Return the mean distance of two meshes `(478, 3)` in the picture, interocular distances."""
    return float(np.linalg.norm((mesh - true)[:, :2], axis=1).mean() / eye_distance(true))


def exactness(checkouts: dict[str, Path], folder: Path, faces: int) -> dict:
    """Return of each version how many faces are found and the mean error of the points."""
    random = np.random.default_rng(23)
    true = []
    for number in range(faces):
        turns = [float(random.uniform(-limit, limit)) for limit in (45, 25, 30)]
        pose = Pose(*(turns if number % 2 else (0.0, 0.0, 0.0)), float(random.uniform(0.3, 0.6)))
        made = drawn(random, 50_000 + number, pose, {}, 320)
        cv2.imwrite(str(folder / f"face-{number:04d}.png"), made.picture[..., ::-1])
        true.append(made.landmarks_px.astype(float))
    result: dict = {"faces": faces}
    for version, checkout in checkouts.items():
        found: list = worked(checkout, "faces", folder)  # type: ignore[assignment]
        errors = [
            np.nan if mesh is None else error_of(np.array(mesh), truth)
            for mesh, truth in zip(found, true, strict=True)
        ]
        result[version] = {
            "found": int(np.isfinite(errors).sum()),
            "frontal": float(np.nanmean(errors[::2])),
            "turned": float(np.nanmean(errors[1::2])),
        }
    return result


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="another checkout")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--faces", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    started = time.perf_counter()
    checkouts = {"before": given.before.resolve(), "after": Path(__file__).resolve().parents[1]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "exactness": exactness(checkouts, folder, given.faces),
            "speed": speed(checkouts, folder, given.frames, given.rounds),
        }
    record("faces versions", found, time.perf_counter() - started)


if __name__ == "__main__":
    main()
