import json
import pickle
import shutil

import cv2
import numpy as np
import pytest
import torch

from aacsfnet.augmentation.gate.witness import (
    BUNDLED,
    DESCRIPTION,
    JUDGED,
    WEIGHTS,
    Witness,
    agreement,
    levelled,
)
from aacsfnet.errors import ModelFileError
from aacsfnet.faces import FaceExtractor
from aacsfnet.facs import HIGHEST, PSPI_UNITS
from benchmarks.records import RESULTS
from tools.witness import group_of

#: What the mesh sees least of, and what closes the eyes.
SEEN_BY_PIXELS = ("au4", "au6", "au9", "au43")
SMILE = {"au12": 4.0, "au25": 3.0, "au26": 2.0}
WIDE = dict.fromkeys(JUDGED, (1.0, 2.0))


@pytest.fixture(scope="module")
def witness():
    return Witness()


@pytest.fixture(scope="module")
def people():
    """Groups of three unseen people: rest, each unit at its highest, an open smile."""
    shown = [{}, *({unit: HIGHEST[unit]} for unit in SEEN_BY_PIXELS), SMILE]
    with FaceExtractor() as extractor:
        groups = [group_of(extractor, "witness test", who, 0, shown) for who in range(3)]
    return [group for group in groups if group is not None]


@pytest.fixture(scope="module")
def changes(witness, people):
    """What is read of each face less what is read at rest, `(people, faces, 6)`."""
    read = [witness.read_all(group.crops, group.points) for group in people]
    return np.stack([each - each[0] for each in read])


@pytest.mark.parametrize("unit", SEEN_BY_PIXELS)
def test_a_unit_raised_is_read_as_that_unit(changes, unit):
    row, column = 1 + SEEN_BY_PIXELS.index(unit), PSPI_UNITS.index(unit)
    shares = changes / [HIGHEST[each] for each in PSPI_UNITS]
    assert (shares[:, row, column] > 0.5).all()
    columns = [PSPI_UNITS.index(other) for other in SEEN_BY_PIXELS if other != unit]
    assert (shares[:, row, columns].mean(axis=0) < 0.25).all()


def test_a_smile_is_no_pain(changes):
    assert np.abs(changes[:, -1] / [HIGHEST[unit] for unit in PSPI_UNITS]).mean() < 0.15


def test_a_face_is_read_alike_each_time_alone_and_among_others(witness, people):
    group = people[0]
    among = witness.read_all(group.crops, group.points)
    np.testing.assert_array_equal(among, witness.read_all(group.crops, group.points))
    alone = witness.read(group.crops[1], group.points[1])
    assert tuple(alone) == PSPI_UNITS
    np.testing.assert_allclose(list(alone.values()), among[1], atol=1e-4)


def test_place_size_and_tilt_of_the_face_in_the_crop_do_not_count(people):
    crop, points = people[0].crops[0], people[0].points[0].astype(float)
    matrix = np.column_stack([cv2.getRotationMatrix2D((64, 64), 9, 1.5)[:, :2], (40, 3)])
    moved = cv2.warpAffine(crop, matrix, (230, 230), flags=cv2.INTER_CUBIC)
    its = np.column_stack([points[:, :2] @ matrix[:, :2].T + matrix[:, 2], 1.5 * points[:, 2]])
    first, second = (
        levelled(*each)[8:-8, 8:-8].astype(float) for each in ((crop, points), (moved, its))
    )
    assert np.abs(first - second).mean() < 3


def test_weights_are_small_and_hold_nothing_to_run(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a pickle was opened")

    monkeypatch.setattr(pickle, "Unpickler", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    Witness()
    assert {file.name for file in BUNDLED.iterdir()} == {WEIGHTS, DESCRIPTION, "README.md"}
    assert sum(file.stat().st_size for file in BUNDLED.iterdir()) < 2e6


def _without(name):
    return lambda folder: (folder / name).unlink()


def _of_other_units(folder):
    about = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(about | {"units": ["au1"]}))


def _no_safetensors(folder):
    (folder / WEIGHTS).write_bytes(pickle.dumps({}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_without(WEIGHTS), "model.safetensors"),
        (_without(DESCRIPTION), "config.json"),
        (_of_other_units, "expected format 1 and units au4, au6"),
        (_no_safetensors, "no witness"),
        (shutil.rmtree, "no such folder"),
    ],
)
def test_a_folder_that_holds_no_witness_is_one_clear_line(tmp_path, spoil, words):
    folder = shutil.copytree(BUNDLED, tmp_path / "mine")
    assert Witness(folder).bounds == Witness().bounds
    spoil(folder)
    with pytest.raises(ModelFileError, match=words) as caught:
        Witness(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_agreement_names_each_unit_that_failed_and_by_how_much():
    assert agreement({"au4": 4.0}, {"au4": 2.5, "au7": 0.9}, WIDE) == []
    # At 4 of 5 the bound is 1 + 0.8; PSPI is asked 4, read 1, where 1 + 4 / 16 are allowed.
    assert agreement({"au4": 4.0}, {"au4": 1.0}, WIDE) == [
        "au4: asked +4.0, read +1.0, off by 3.0, allowed 1.8",
        "pspi: asked +4.0, read +1.0, off by 3.0, allowed 1.2",
    ]
    # Brows asked, lips given: PSPI agrees, the units do not.
    faults = agreement({"au4": 4.0}, {"au10": 4.0}, WIDE)
    assert [fault.split(":")[0] for fault in faults] == ["au4", "au10"]


def test_small_errors_of_every_unit_add_up_in_pspi():
    read = {"au4": 2.0, "au7": 2.0, "au10": 2.0}
    loose = dict.fromkeys(PSPI_UNITS, (2.5, 2.5)) | {"pspi": (4.0, 4.0)}
    assert [each.split(":")[0] for each in agreement({}, read, loose)] == ["pspi"]


def test_what_cannot_be_read_fails():
    assert agreement({}, {"au6": float("nan")}, WIDE)[0].startswith("au6")


def test_the_card_tells_the_figures_that_were_measured():
    card = (BUNDLED / "README.md").read_text(encoding="utf-8")
    newest = max(RESULTS.glob("witness-*.json"))
    results = json.loads(newest.read_text())["result"]
    assert newest.name in card
    for unit in PSPI_UNITS:
        alone, whole = (results["rendered"]["units"][unit][kind] for kind in ("alone", "all"))
        drawn = results["redrawn_by_the_miniature"]["units"][unit]["all"]
        figures = [f"{each['r']:.2f} | {each['slope']:.2f}" for each in (alone, whole, drawn)]
        assert f"| {unit.upper()} | {' | '.join(figures)} |" in card
