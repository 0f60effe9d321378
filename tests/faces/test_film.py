"""Films made of rendered people and a photograph, against the stages and against the truth."""

import cv2
import numpy as np
import pytest

from aacsfnet import tables
from aacsfnet.config import Crop, Landmarks
from aacsfnet.faces.film import FilmExtractor
from aacsfnet.faces.find import FoundFace
from aacsfnet.faces.neighbours import NEAR
from aacsfnet.tables import Fault

from .test_stages import manifest, run


def seen(extractor, pictures):
    found, taken = [], []

    def given():
        for picture in pictures:
            taken.append(picture)
            # Constant memory: what the neighbours, smoothing by 4 and other threads may wait for.
            assert len(taken) - len(found) <= NEAR + 9 + 8
            yield picture

    for frame in extractor.frames(given()):
        found.append(frame)  # noqa: PERF402 - `given` counts them
    assert [frame.at for frame in found] == list(range(len(pictures)))
    return found


@pytest.fixture(scope="module")
def moving(photograph):
    """A face that drifts, is away for two frames, and comes back."""
    shifts = [np.float32([[1, 0, 2 * at], [0, 1, at]]) for at in range(12)]
    pictures = [cv2.warpAffine(photograph, shift, (512, 300)) for shift in shifts]
    pictures[5] = pictures[6] = np.full((300, 512, 3), 140, np.uint8)
    return pictures


@pytest.mark.parametrize("mode", ["still", "video"])
def test_crops_are_those_of_the_stages_to_the_bit(tmp_path, moving, mode) -> None:
    rows = "path,subject,label,sequence\n"
    for at, picture in enumerate(moving):
        cv2.imwrite(str(tmp_path / f"{at:02}.png"), picture[..., ::-1])
        rows += f"{at:02}.png,p,1,a\n"
    blocks = {"crop": {"mode": mode}, "landmarks": {"mode": mode}}
    cut, found = (
        table.sort("frame_id") for table in run(tmp_path, manifest(tmp_path, rows, **blocks))
    )
    settings = Crop(**blocks["crop"]), Landmarks(**blocks["landmarks"])
    with FilmExtractor(*settings, everyone=False) as extractor:
        frames = seen(extractor, moving)
    by_name = {
        row["image"]["path"] if row["image"] else None: (row, other)
        for row, other in zip(cut.iter_rows(named=True), found.iter_rows(named=True), strict=True)
    }
    assert [frame.fault is None for frame in frames] == [at not in (5, 6) for at in range(12)]
    crops = {face.crop.tobytes() for frame in frames for face in frame.faces.values()}
    stages = [
        tables.decode_png(row["image"]).tobytes() for name, (row, _) in by_name.items() if name
    ]
    assert crops == set(stages)
    assert len(crops) == 10
    poses = sorted(float(np.float32(f.pose[0])) for frame in frames for f in frame.faces.values())
    assert poses == sorted(other["pose"][0] for name, (_, other) in by_name.items() if name)


@pytest.mark.parametrize("mode", ["still", "video"])
def test_two_people_keep_their_numbers(two_people, mode) -> None:
    pictures = [np.roll(two_people, 3 * at, axis=1) for at in range(6)]
    settings = Crop(mode=mode), Landmarks(mode="video")
    with FilmExtractor(*settings, everyone=True) as extractor:
        frames = seen(extractor, pictures)
        alone = seen(extractor, [pictures[0][:, :420]])
    for frame in frames:
        assert set(frame.faces) == {0, 1}
        assert frame.faces[0].box_xyxy[0] < frame.faces[1].box_xyxy[0]
    assert set(alone[0].faces) == {0}  # another film counts anew


def test_frames_without_a_face_have_their_reason(photograph) -> None:
    grey = np.full((200, 300, 3), 140, np.uint8)
    broken = Fault("unreadable", "frame 2 is damaged")
    settings = Crop(mode="video"), Landmarks(mode="video")
    with FilmExtractor(*settings, everyone=True) as extractor:
        frames = seen(extractor, [photograph, grey, broken, photograph])
    assert [frame.fault and frame.fault.status for frame in frames] == [
        None,
        "no_face",
        "unreadable",
        None,
    ]
    assert frames[2].fault == broken
    assert all(isinstance(frames[at].faces[0], FoundFace) for at in (0, 3))


@pytest.mark.parametrize("mode", ["still", "video"])
def test_a_turned_face_that_its_neighbours_contradict_is_doubtful(
    tmp_path, photograph, mode: str
) -> None:
    """Stage and film alike; where every frame is on its side, all are used."""
    small = cv2.resize(photograph, (256, 256), interpolation=cv2.INTER_AREA)
    card = np.full((300, 512, 3), 90, np.uint8)
    card[20:276, 250:506] = np.rot90(small)
    shifts = [np.float32([[1, 0, -2 * at], [0, 1, at]]) for at in range(5)]
    pictures = [cv2.warpAffine(photograph, shift, (512, 300)) for shift in shifts]
    pictures[2] = card
    rows = "path,subject,label,sequence\n"
    for at, picture in enumerate([*pictures, *[np.roll(card, at, axis=1) for at in range(1, 4)]]):
        cv2.imwrite(str(tmp_path / f"{at:02}.png"), picture[..., ::-1])
        rows += f"{at:02}.png,p,1,{'a' if at < 5 else 'b'}\n"
    blocks = {"crop": {"mode": mode}, "landmarks": {"mode": mode}}
    cut, found = (
        table.sort("frame_id") for table in run(tmp_path, manifest(tmp_path, rows, **blocks))
    )
    assert cut["status"].to_list() == ["ok", "ok", "doubtful_face", "ok", "ok", "ok", "ok", "ok"]
    assert found["status"].to_list() == cut["status"].to_list()
    assert "the sure faces of 4 frames" in cut["reason"][2]
    assert cut["image"][2] is None
    settings = Crop(**blocks["crop"]), Landmarks(**blocks["landmarks"])
    with FilmExtractor(*settings, everyone=False) as extractor:
        frames = seen(extractor, pictures)
    faults = {
        frame.at: face.reason
        for frame in frames
        for face in frame.faces.values()
        if isinstance(face, Fault)
    }
    assert faults == {2: cut["reason"][2]}
