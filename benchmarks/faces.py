"""Faces measured where the truth is known: rendered people that nothing was tuned on.

    python -m benchmarks.faces accuracy --faces 500
    python -m benchmarks.faces measures --people 42
    python -m benchmarks.faces modes
    python -m benchmarks.faces jitter
    python -m benchmarks.faces speed --frames 300
    python -m benchmarks.faces memory

Each writes benchmarks/results/faces-<what>-<date>.json with machine, versions and commit.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import spearmanr

from aacsfnet import landmark_sets as sets
from aacsfnet import tables
from aacsfnet.config import Config, Crop, validate
from aacsfnet.datasets.index import index
from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.alignment import crop_matrix, smoothed
from aacsfnet.faces.crop import crop
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.faces.landmarks import landmarks
from aacsfnet.faces.locate import FaceLocator
from aacsfnet.faces.pose import angles_of, pose_of, rotation_from
from aacsfnet.faces.sampling import invert, transform
from aacsfnet.facs import HIGHEST
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Light, Pose, Rendering, render
from aacsfnet.rendering.sequences import frames_of, person_of
from aacsfnet.tables import Fault
from aacsfnet.times import peak_mib
from benchmarks.records import record

#: Seeds of people start here; the demo data set's are hashes, so nobody is met twice.
FIRST_PERSON = 900_000_000
#: Points with a place of their own in a picture: eyes, brows, nose, lips.
_RIGHT = (
    *(*sets.RIGHT_EYE, *sets.RIGHT_UPPER_LID[3:6], *sets.RIGHT_LOWER_LID[3:6], sets.RIGHT_IRIS[0]),
    *(*sets.RIGHT_BROW_BOTTOM[1:], 1, 4, 2, 97, 168, 6, sets.RIGHT_WING[0]),
    *(sets.MOUTH_CORNERS[0], 0, 17, 13, 14, 37, 82, 87),
)
FEATURES = sorted({*_RIGHT, *sets.mirrored(_RIGHT)})
DRIVEN_BY = {
    "lid_opening": ("au43", "au7"),
    "brow_height": ("au4",),
    "brow_distance": ("au4",),
    "upper_lip_raise": ("au10",),
    "nose_wrinkle": ("au9",),
    "cheek_raise": ("au6",),
    "lower_lid_height": ("au7", "au6"),
    "mouth_opening": ("au25", "au26"),
    "mouth_width": ("au12", "au20"),
    "mouth_corner_pull": ("au12",),
}


def landmarks_of(picture: np.ndarray, extractor: FaceExtractor) -> np.ndarray | None:
    """Return the mesh `(478, 3)` in picture pixels as the stages find it in still mode."""
    found = extractor.find(picture)
    return found[0].landmarks_in_frame if found else None


def drawn(rng: np.random.Generator, person: int, pose: Pose, units: dict, size: int) -> Rendering:
    """Return a picture of an unseen person in a random light."""
    light = Light((float(rng.uniform(-0.8, 0.8)), 0.6, 0.9))
    lens = Lens(noise=float(rng.uniform(0, 3)), scene_seed=person, noise_seed=person)
    return render(Person.from_seed(FIRST_PERSON + person), units, pose, light, lens, size)


def accuracy(faces: int) -> dict:
    """Landmarks after mapping back to the frame: all poses at once, and each axis by itself."""
    rng = np.random.default_rng(11)
    sweeps = {
        "all at once": (45, 25, 30),
        "frontal": (0, 0, 0),
        "yaw": (45, 0, 0),
        "pitch": (0, 25, 0),
        "roll": (0, 0, 30),
    }
    result = {}
    with FaceExtractor() as extractor:
        for name, limits in sweeps.items():
            rows = []
            for number in range(faces if name == "all at once" else faces // 5):
                angles = [float(rng.uniform(-limit, limit)) for limit in limits]
                large = number % 5 == 0  # large pictures are slow to render
                height = float(np.exp(rng.uniform(np.log(60), np.log(1200 if large else 300))))
                size = int(min(2000, max(128, height / rng.uniform(0.3, 0.65))))
                share = height / size
                spare = 0.3 * max(0.0, 0.9 - share)
                middle = tuple(0.5 + float(rng.uniform(-spare, spare)) for _ in range(2))
                units = {
                    unit: float(rng.uniform(0, HIGHEST[unit]))
                    for unit in ("au4", "au6", "au7", "au9", "au10", "au12", "au25", "au26", "au43")
                    if rng.random() < 0.2
                }
                made = drawn(rng, number, Pose(*angles, share, middle), units, size)
                truth = made.landmarks_px.astype(float)
                mesh = landmarks_of(made.picture, extractor)
                row = {"angles": angles, "height": height, "found": mesh is not None}
                if mesh is not None:
                    distance = np.linalg.norm((mesh - truth)[:, :2], axis=1)
                    corners = np.linalg.norm(truth[sets.RIGHT_EYE[0]] - truth[sets.LEFT_EYE[0]])
                    row["all"] = distance.mean() / eye_distance(truth)
                    row["features"] = distance[FEATURES].mean() / eye_distance(truth)
                    row["all_by_corners"] = distance.mean() / corners
                    row["features_by_corners"] = distance[FEATURES].mean() / corners
                    row["pose"] = np.abs(pose_of(mesh) - angles_of(rotation_from(*angles)))
                rows.append(row)
            result[name] = summary_of(rows)
    return result


def summary_of(rows: list[dict]) -> dict:
    """Return how many faces were found and the mean errors of those."""
    found = [row for row in rows if row["found"]]
    mild = [row for row in rows if max(map(abs, row["angles"])) <= 30]
    return {
        "faces": len(rows),
        "found": len(found) / len(rows),
        "found_up_to_30_degrees": np.mean([row["found"] for row in mild]),
        "mean_error_eye_distances": {
            key: np.mean([row[key] for row in found])
            for key in ("all", "features", "all_by_corners", "features_by_corners")
        },
        "mean_error_by_height_px": {
            f"{low}-{high}": np.mean([r["all"] for r in found if low <= r["height"] < high])
            for low, high in ((60, 120), (120, 300), (300, 1201))
            if any(low <= r["height"] < high for r in found)
        },
        "mean_absolute_pose_error": dict(
            zip(("yaw", "pitch", "roll"), np.mean([r["pose"] for r in found], axis=0), strict=True)
        ),
    }


def measures(people: int) -> dict:
    """Rank correlation of each measure with the unit that drives it, over unseen people.

    Each person is rendered three times at rest and once with each unit at a random intensity,
    in poses as the demo's. "absolute" compares people; "change" subtracts the person's rest.
    """
    rng = np.random.default_rng(12)
    units = ("au4", "au6", "au7", "au9", "au10", "au12", "au20", "au25", "au26", "au43")
    rows: list[dict] = []
    with FaceExtractor() as extractor:
        for person in range(people):
            for unit in ("rest", "rest", "rest", *units):
                value = 0.0 if unit == "rest" else float(rng.uniform(0, HIGHEST[unit]))
                pose = Pose(*(float(v) for v in rng.normal(0, (9, 4.5, 4))), 0.56)
                expression = {} if unit == "rest" else {unit: value}
                made = drawn(rng, person, pose, expression, 320)
                mesh = landmarks_of(made.picture, extractor)
                if mesh is not None:
                    truth = made.landmarks_px.astype(float)
                    row = {"person": person, "unit": unit, "value": value}
                    rows.append(row | {"found": measure_all(mesh), "true": measure_all(truth)})
    result: dict = {"faces": len(rows)}
    for name, drivers in DRIVEN_BY.items():
        for unit in drivers:
            result[f"{name} by {unit}"] = {
                kind: correlations(rows, name, unit, kind) for kind in ("found", "true")
            }
    return result


def correlations(rows: list[dict], name: str, unit: str, kind: str) -> dict:
    """Return Spearman's rank correlations of one measure with one unit."""
    rest: dict[int, list[float]] = {}
    for row in rows:
        if row["unit"] == "rest":
            rest.setdefault(row["person"], []).append(row[kind][name])
    moved = [row for row in rows if row["unit"] == unit and row["person"] in rest]
    values = [row["value"] for row in moved]
    absolute = [row[kind][name] for row in moved]
    change = [row[kind][name] - np.median(rest[row["person"]]) for row in moved]
    return {
        "absolute": spearmanr(values, absolute).statistic,
        "change": spearmanr(values, change).statistic,
    }


def jitter(frames: int = 60) -> dict:
    """How much the head shakes in its crops, before and after smoothing.

    Rendered heads drift slowly while the face acts, so what is fixed to the skull (corners of the
    eyes, bridge of the nose; their true places) should pass slowly through the crop. Shaking is
    the root mean square of the second difference of their mean, in interocular distances.
    """
    skull = [*sets.RIGHT_EYE, *sets.LEFT_EYE[::-1], 168, 6]
    settings = Crop()
    shaking: dict[str, list] = {"before": [], "after": []}
    moved = []
    with FaceLocator(settings) as locator:
        for subject in range(4):
            person = person_of(77, subject)
            found, true = [], []
            for frame in frames_of(77, subject, 0, frames):
                made = render(person, frame.expression, frame.pose, frame.light, frame.lens, 256)
                located = locator.locate(made.picture)
                if not isinstance(located, Fault):
                    found.append(located.placement)
                    true.append(made.landmarks_px.astype(float)[skull])
            path, times = np.array(found), range(len(found))
            smooth = smoothed(path, times, times, settings.smoothing)
            moved.append(np.hypot(*(smooth - path)[:, :2].T).max() / path[:, 2].mean() * 2.65)
            for name, placed in (("before", path), ("after", smooth)):
                shaking[name].append(shake_of(placed, true))
    names = ("x", "y", "log_size", "tilt_degrees")
    mean = {key: np.mean(value, axis=0) for key, value in shaking.items()}
    return {key: dict(zip(names, value, strict=True)) for key, value in mean.items()} | {
        "after / before": dict(zip(names, mean["after"] / mean["before"], strict=True)),
        "largest_shift_eye_distances": float(np.max(moved)),
    }


def shake_of(placed: np.ndarray, true: list[np.ndarray]) -> np.ndarray:
    """Return how much the skull's x, y, size and tilt shake in the crops of placements."""
    seen = []
    for placement, points in zip(placed, true, strict=True):
        inside = transform(invert(crop_matrix(placement, 128, 0.25)), points)
        across = inside[3] - inside[0]
        eyes = (inside[2:4, :2].mean(axis=0) - inside[:2, :2].mean(axis=0))[0]
        tilt = np.degrees(np.arctan2(across[1], across[0]))
        seen.append([*inside[:, :2].mean(axis=0) / eyes, np.log(np.hypot(*across[:2])), tilt])
    return np.asarray(np.sqrt((np.diff(seen, 2, axis=0) ** 2).mean(axis=0)))


def modes(subjects: int = 6, frames: int = 48) -> dict:
    """Video mode against still mode: both stages on the same rendered sequences.

    Distances are means over the 478 points, in interocular distances; movement is the
    root mean square of the second difference of a measure along a sequence, which shakes with a
    mesh that does.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config, true = sequences(folder, subjects, frames)
        index(config, folder / "index")
        shards = tables.read(folder / "index")["shard"].unique(maintain_order=True).to_list()
        found = {}
        for mode in ("still", "video"):
            blocks = {"crop": {"mode": mode}, "landmarks": {"mode": mode}}
            both = validate(config.model_dump(mode="json") | blocks)
            found[mode] = in_frames(both, folder, shards)
    seen = [key for key in true if all(key in meshes for meshes in found.values())]
    result: dict = {"frames": len(true), "both found": len(seen)}
    for mode, meshes in found.items():
        result[mode] = {
            "found": len(meshes) / len(true),
            "error": np.mean([apart(meshes[key], true[key], true[key]) for key in seen]),
            "movement": movement(meshes, frames),
        }
    result["true movement"] = movement(true, frames)
    between = [apart(found["video"][key], found["still"][key], true[key]) for key in seen]
    result["video from still"] = {"mean": np.mean(between), "highest": np.max(between)}
    return result


def apart(points: np.ndarray, others: np.ndarray, true: np.ndarray) -> float:
    """Return the mean distance between two meshes in a picture, in true interocular distances."""
    return float(np.linalg.norm((points - others)[:, :2], axis=1).mean() / eye_distance(true))


def movement(meshes: dict[tuple[int, int], np.ndarray], frames: int) -> dict[str, float]:
    """Return how much three measures shake over whole sequences."""
    shaken: dict[str, list[np.ndarray]] = {}
    for subject in {subject for subject, _ in meshes}:
        places = [(subject, frame) for frame in range(frames)]
        if all(place in meshes for place in places):
            measured = measure_all(np.array([meshes[place] for place in places], float))
            for name in ("lid_opening", "brow_height", "upper_lip_raise"):
                shaken.setdefault(name, []).append(np.diff(measured[name], 2))
    return {name: float(np.sqrt(np.mean(np.square(each)))) for name, each in shaken.items()}


def sequences(folder: Path, subjects: int, frames: int) -> tuple[Config, dict]:
    """Write rendered sequences; return settings that read them, and the true meshes by place."""
    rows, true = ["path,subject,label,sequence,frame"], {}
    for subject in range(subjects):
        person = person_of(78, subject)
        for number, frame in enumerate(frames_of(78, subject, 0, frames)):
            made = render(person, frame.expression, frame.pose, frame.light, frame.lens, 320)
            name = f"{subject}-{number:03d}.png"
            cv2.imwrite(str(folder / name), made.picture[..., ::-1])
            rows.append(f"{name},p{subject},0,s,{number}")
            true[subject, number] = made.landmarks_px.astype(float)
    (folder / "film.csv").write_text("\n".join(rows) + "\n")
    settings = {
        "manifest": {"file": str(folder / "film.csv")},
        "shard_frames": frames,
        "packed_frames": 0,
    }
    return validate({"dataset": "manifest", "index": settings}), true


def in_frames(config: Config, folder: Path, shards: list[str]) -> dict:
    """Return the meshes that both stages find, in frame pixels, by subject and frame."""
    meshes = {}
    for shard in shards:
        crop(config, folder / "index", shard, folder / "crop")
        landmarks(config, folder / "crop", folder / "landmarks")
        matrices = tables.read(folder / "crop")["to_frame"].to_list()
        rows = tables.read(folder / "landmarks").iter_rows(named=True)
        for matrix, row in zip(matrices, rows, strict=True):
            if row["status"] == "ok":
                points = transform(np.reshape(matrix, (2, 3)), np.array(row["landmarks_px"], float))
                number = int(str(row["frame_id"]).rsplit("/", 1)[1])
                meshes[int(str(row["subject"])[1:]), number] = points
    return meshes


def film(folder: Path, frames: int, shards: int = 1, **blocks: dict) -> Config:
    """Write a film of JPEGs of 640 x 480 and return settings that read it."""
    made = frames_of(5, 1, 0, min(frames, 60))
    encoded = [
        cv2.imencode(".jpg", render(person_of(5, 1), f.expression, f.pose, f.light, f.lens,
                                    (480, 640)).picture[..., ::-1])[1].tobytes()
        for f in made
    ]  # fmt: skip
    rows = ["path,subject,label,sequence,frame"]
    for shard in range(shards):
        for number in range(frames):
            # Forwards and backwards, so that the film has no cuts.
            turn = number % (2 * len(encoded) - 2)
            name = f"{shard}-{number:05d}.jpg"
            # The shard behind the picture: no picture may be two people's.
            mark = f"{shard}".encode()
            (folder / name).write_bytes(encoded[min(turn, 2 * len(encoded) - 2 - turn)] + mark)
            rows.append(f"{name},p{shard},0,s,{number}")
    (folder / "film.csv").write_text("\n".join(rows) + "\n")
    settings = {
        "manifest": {"file": str(folder / "film.csv")},
        "shard_frames": frames,
        "packed_frames": 0,
    }
    return validate({"dataset": "manifest", "index": settings} | blocks)


def speed(frames: int, rounds: int = 5) -> dict:
    """Milliseconds of one core for decoding + MediaPipe, and for both stages, on the same frames.

    CPU time, so that other work on the machine does not count; wall time is given too. All are
    taken in turn, so that a slow moment meets all alike; the medians count.
    """
    from mediapipe.python.solutions.face_mesh import FaceMesh

    cv2.setNumThreads(1)
    times: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = film(folder, frames)
        files = sorted(folder.glob("*.jpg"))

        def bare(static: bool) -> None:
            network = FaceMesh(static_image_mode=static, refine_landmarks=True)
            for file in files:
                network.process(cv2.imread(str(file), cv2.IMREAD_COLOR_RGB))
            network.close()

        def stages(mode: str) -> None:
            blocks = {"crop": {"mode": mode}, "landmarks": {"mode": mode}}
            both = validate(config.model_dump(mode="json") | blocks)
            shard = tables.read(folder / "index")["shard"][0]
            crop(both, folder / "index", shard, folder / "crop")
            landmarks(both, folder / "crop", folder / "landmarks")
            assert (tables.read(folder / "landmarks")["status"] == "ok").all()

        index(config, folder / "index")
        works: dict[str, Callable[[], None]] = {
            "bare, every frame searched": lambda: bare(True),
            "bare, tracking": lambda: bare(False),
            "stages, still": lambda: stages("still"),
            "stages, video": lambda: stages("video"),
        }
        for round_ in range(rounds + 1):  # the first only loads libraries
            for label, work in works.items():
                taken = timed(work, frames)
                if round_:
                    times.setdefault(label, []).append(taken)
    result: dict = {"frames": frames, "rounds": rounds}
    for label, taken in times.items():
        cpu, wall = np.median(taken, axis=0)
        result[label] = {"cpu_ms": cpu, "wall_ms": wall, "frames_per_cpu_second": 1e3 / cpu}
    for mode in ("still", "video"):
        ratios = np.divide(times[f"stages, {mode}"], times["bare, every frame searched"])[:, 0]
        result[f"{mode} / bare"] = {"median": np.median(ratios), "rounds": ratios.tolist()}
    return result


def timed(work: Callable[[], None], frames: int) -> tuple[float, float]:
    """Return milliseconds a frame, of this process and by the clock, that the work takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return 1e3 * cpu / frames, 1e3 * wall / frames


def memory(frames: int = 200, shards: int = 8) -> dict:
    """Peak memory of crop and landmarks by shard, each in a process of its own as in a workflow.

    Also of one process that works on all shards, which would grow if anything were kept.
    """
    new_process = get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = film(folder, frames, shards)
        index(config, folder / "index")
        names = tables.read(folder / "index")["shard"].unique(maintain_order=True).to_list()
        with new_process.Pool(1, maxtasksperchild=1) as pool:
            apart = pool.starmap(peak_of, [(config, folder, name) for name in names], chunksize=1)
        with new_process.Pool(1) as pool:
            together = pool.starmap(peak_of, [(config, folder, name) for name in names])
    return {
        "frames_a_shard": frames,
        "peak_mib": apart,
        "last / first": apart[-1] / apart[0],
        "peak_mib_in_one_process": together,
    }


def peak_of(config: Config, folder: Path, shard: str) -> float:
    """Return this process's peak memory after both stages of a shard, MiB."""
    crop(config, folder / "index", shard, folder / "crop")
    landmarks(config, folder / "crop", folder / "landmarks")
    return peak_mib()


WHAT: dict[str, Callable[[argparse.Namespace], dict]] = {
    "accuracy": lambda given: accuracy(given.faces),
    "measures": lambda given: measures(given.people),
    "modes": lambda _: modes(),
    "jitter": lambda _: jitter(),
    "speed": lambda given: speed(given.frames),
    "memory": lambda _: memory(),
}


def main() -> None:
    """Measure what was asked for and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(WHAT))
    parser.add_argument("--faces", type=int, default=500, help="rendered faces for accuracy")
    parser.add_argument("--people", type=int, default=42, help="rendered people for measures")
    parser.add_argument("--frames", type=int, default=300, help="frames for speed")
    given = parser.parse_args()
    started = time.perf_counter()
    found = WHAT[given.what](given)
    record(f"faces {given.what}", found, time.perf_counter() - started)


if __name__ == "__main__":
    main()
