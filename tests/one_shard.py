import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.config import validate
from aacsfnet.facs import ACTION_UNITS

SIZE = 128


@pytest.fixture(scope="session")
def face_picture():
    """A photographed face, about upright, 128 pixels a side."""
    import cv2
    from skimage import data

    return cv2.resize(data.astronaut()[30:200, 140:310], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def face_landmarks(face_picture):
    """The 478 landmarks of `face_picture`, in its pixels."""
    from aacsfnet.faces.mesh import CropLandmarker

    with CropLandmarker(0.5) as landmarker:
        return landmarker.find(face_picture).points


@pytest.fixture(scope="session")
def settings():
    """Settings that leave the demo's label range in place and make every picture."""

    def make(**blocks):
        prompts = {"level": {"pictures": 0}} | blocks.pop("prompts", {})
        keep = {"neutral_share": 1.0} | prompts.get("keep", {})
        return validate({"prompts": prompts | {"keep": keep}} | blocks)

    return make


@pytest.fixture
def shard(tmp_path, face_picture, face_landmarks):
    """Tables of one shard: four frames with a face, one without."""
    from aacsfnet.faces.geometry import measure_all
    from aacsfnet.faces.pose import pose_of

    labels = [0.0, 0.0, 3.0, 9.0, 1.0]
    frames = [
        {
            "frame_id": f"s1/a/{number:04d}",
            "subject": "s1",
            "sequence": "a",
            "label": label,
            "status": "ok" if number < 4 else "no_face",
            "reason": "" if number < 4 else "no face was found",
        }
        for number, label in enumerate(labels)
    ]
    faces = [{name: frame[name] for name in frame if name != "label"} for frame in frames]
    known = dict.fromkeys(ACTION_UNITS, 0.0)
    rows = {
        "index": [
            frame
            | {"status": "ok", "reason": "", "shard": "s1.00", "sex": "f", "age_group": ""}
            | (known | {"au4": frame["label"] / 2} if number % 2 else {})
            for number, frame in enumerate(frames)
        ],
        "crop": [
            face | ({"image": tables.encode_png(face_picture, "face.png")} if number < 4 else {})
            for number, face in enumerate(faces)
        ],
        "landmarks": [
            face
            | (
                {
                    "landmarks_px": face_landmarks.astype(np.float32),
                    "pose": pose_of(face_landmarks).tolist(),
                    "measures": {k: float(v) for k, v in measure_all(face_landmarks).items()},
                }
                if number < 4
                else {}
            )
            for number, face in enumerate(faces)
        ],
    }
    paths = {}
    for stage, stage_rows in rows.items():
        paths[stage] = tmp_path / f"{stage}.parquet"
        tables.write(paths[stage], tables.frame(stage, stage_rows), stage)
    for stage in ("prompts", "depth", "generate", "quality"):
        paths[stage] = tmp_path / f"{stage}.parquet"
    return paths


@pytest.fixture
def run_shard(shard):
    """Run stages of the shard in order and return their tables."""
    from aacsfnet.augmentation.depth.stage import depth
    from aacsfnet.augmentation.diffusion.generate import generate
    from aacsfnet.augmentation.gate.quality import quality
    from aacsfnet.augmentation.prompts.stage import prompts

    calls = {
        "prompts": (prompts, ("index", "landmarks")),
        "depth": (depth, ("crop", "landmarks", "prompts")),
        "generate": (generate, ("crop", "landmarks", "depth", "prompts")),
        "quality": (quality, ("index", "crop", "landmarks", "generate")),
    }

    def run(config, *stages) -> dict[str, pl.DataFrame]:
        for stage in stages or calls:
            function, inputs = calls[stage]
            function(config, *(shard[name] for name in inputs), shard[stage])
        return {stage: tables.read(shard[stage]) for stage in stages or calls}

    return run
