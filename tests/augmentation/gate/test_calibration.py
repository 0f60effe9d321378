import numpy as np
import pytest

from aacsfnet import tables
from aacsfnet.augmentation.gate import calibration
from aacsfnet.augmentation.gate.calibration import BOUNDS, Pairs
from aacsfnet.augmentation.gate.resemblance import SMALLEST_CHANGE
from aacsfnet.config import Quality, validate
from aacsfnet.datasets import Label
from aacsfnet.errors import DataError
from aacsfnet.faces.geometry import MEASURES

PSPI = Label("pspi", 0.0, 16.0, "observed expression")


def counted(same, different):
    return Pairs.of(BOUNDS["measure_difference"], np.asarray(same), np.asarray(different))


def test_pairs_of_one_person():
    measures = np.array([[0.0, 0.0], [0.01, 0.05], [0.2, 0.0]])
    same, different = calibration.largest_changes(measures, np.array([0.0, 0.0, 3.0]), 2.0)
    assert same.tolist() == [0.05]
    assert sorted(different.tolist()) == pytest.approx([0.19, 0.2])


def test_figures_equal_those_of_scikit_learn():
    from sklearn import metrics

    random = np.random.default_rng(0)
    same, different = random.gamma(2, 0.02, 300).round(3), random.gamma(3, 0.04, 500).round(3)
    got = counted(same, different)
    truth = np.repeat([0, 1], [300, 500])
    # What lies below the lowest bound or above the highest one is not told apart.
    scores = np.clip(np.concatenate([same, different]), 0.005, 0.301)
    assert got.area == pytest.approx(metrics.roc_auc_score(truth, scores))
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    passes = got.at(got.best)
    assert passes[0] - passes[1] == pytest.approx((true - false).max())
    assert passes == pytest.approx(((same <= got.best).mean(), (different <= got.best).mean()))


def test_what_cannot_be_told_apart_has_an_area_of_one_half():
    random = np.random.default_rng(1)
    got = counted(random.random(2000) / 4, random.random(2000) / 4)
    assert got.area == pytest.approx(0.5, abs=0.03)
    assert not got.tells


def test_pooling_is_counting_together():
    random = np.random.default_rng(2)
    parts = [(random.random(50) / 9, random.random(70) / 5) for _ in range(3)]
    pooled = calibration.pool([counted(*part) for part in parts])
    at_once = counted(*(np.concatenate(kind) for kind in zip(*parts, strict=True)))
    assert pooled.noted() == at_once.noted()
    again = Pairs.read("measure_difference", pooled.noted())
    assert (again.area, again.best) == (pooled.area, pooled.best)


@pytest.mark.parametrize(
    ("same", "different", "bound"),
    [
        (np.linspace(0, 0.04, 200), np.linspace(0.041, 0.2, 200), 0.04),  # own frames tell
        (np.linspace(0, 0.02, 200), np.linspace(0.021, 0.2, 200), SMALLEST_CHANGE),  # mesh error
        (np.linspace(0, 0.10, 200), np.linspace(0.11, 0.2, 200), 0.06),  # never above the settings'
        (np.linspace(0, 0.04, 99), np.linspace(0.041, 0.2, 200), 0.06),  # too few pairs
        (np.linspace(0, 0.2, 200), np.linspace(0, 0.2, 200), 0.06),  # told apart by chance
        ([], [], 0.06),
    ],
)
def test_a_person_has_a_lower_bound_where_the_own_frames_tell(same, different, bound):
    found = calibration.bound_of(counted(same, different), Quality())
    assert found == pytest.approx(bound)
    fixed = calibration.bound_of(counted(same, different), Quality(calibrate=False))
    assert fixed == 0.06


def face(number, label, lid_opening, subject="a"):
    return {
        "frame_id": f"{subject}/q/{number}",
        "subject": subject,
        "sequence": "q",
        "label": label,
        "status": "ok",
        "reason": "",
        "measures": dict.fromkeys(MEASURES, 0.0) | {"lid_opening": lid_opening},
    }


def test_without_a_usual_face_no_pair_tells_anything_of_pspi():
    faces = [face(number, float(number), 0.1) for number in range(4)]
    pairs = calibration.pairs_of(faces, PSPI)
    assert pairs["measure_difference"].different_pairs == 3
    assert pairs["pspi_difference"].different_pairs == 0
    assert np.isnan(pairs["pspi_difference"].area)


def test_no_usable_frame_gives_no_pairs():
    assert calibration.pairs_of([], PSPI)["measure_difference"].same_pairs == 0
    lost = [face(0, 0.0, 0.1) | {"status": "no_face", "measures": None}]
    assert calibration.pairs_of(lost, PSPI)["measure_difference"].same_pairs == 0


@pytest.fixture
def results(tmp_path):
    """Two subjects whose lids close with the label."""
    random = np.random.default_rng(2)
    for subject in ("a", "b"):
        rows = [
            face(number, label, 0.2 - 0.03 * label + random.normal(0, 0.005), subject)
            for number, label in enumerate(LABELS)
        ]
        write_faces(tmp_path / "landmarks" / f"{subject}.00.parquet", rows)
    write_index(tmp_path)
    return tmp_path


#: Of each subject's frames.
LABELS = [0.0] * 20 + [2.0] * 10 + [4.0] * 5


def write_faces(path, rows):
    unlabelled = [{name: row[name] for name in row if name != "label"} for row in rows]
    tables.write(path, tables.frame("landmarks", unlabelled), "landmarks")


def write_index(folder):
    rows = [
        {name: value for name, value in face(n, label, 0.1, s).items() if name != "measures"}
        | {"shard": f"{s}.00"}
        for s in ("a", "b")
        for n, label in enumerate(LABELS)
    ]
    tables.write(folder / "index.parquet", tables.frame("index", rows), "index")


def test_a_data_set_whose_labels_show_is_told_apart(results):
    settings = {"experiments": {"full": {}, "again": {"train": {"epochs": 9}}}}
    ((limits, got),) = calibration.calibrate(validate(settings), results).values()
    assert limits == Quality()
    for pairs in got.values():
        assert pairs.same_pairs == 2 * (190 + 45 + 10)
        assert pairs.different_pairs == 2 * (20 * 10 + 20 * 5 + 10 * 5)
        # Pairs of different people would have spoilt the counts: subjects are kept apart.
    assert got["measure_difference"].area > 0.99
    assert 0.01 < got["measure_difference"].best < 0.05


def test_each_experiment_has_its_own_landmarks_and_bounds(results):
    own = results / "experiments" / "own" / "landmarks"
    rows = [face(number, LABELS[number], 0.1) for number in range(10, 30)]
    write_faces(own / "a.00.parquet", rows)
    experiments = {
        "full": {},
        "own": {"landmarks": {"min_confidence": 0.6}},
        "strict": {"quality": {"max_measure_difference": 0.02}},
        "unmade": {"crop": {"margin": 0.3}},
    }
    # A person who was removed from the data set does not count.
    write_faces(results / "landmarks" / "gone.00.parquet", rows)
    got = calibration.calibrate(validate({"experiments": experiments}), results)
    assert list(got) == ["full", "own", "strict", "unmade"]
    assert got["unmade"].endswith("landmarks: no tables; run the landmarks stage first")
    pairs = {name: got[name][1]["measure_difference"] for name in ("full", "own", "strict")}
    assert pairs["own"].same_pairs == 2 * 45
    assert pairs["own"].different_pairs == 100
    assert pairs["strict"].same_pairs == pairs["full"].same_pairs == 2 * (190 + 45 + 10)
    words = calibration.in_words(got)
    assert words.count("quality.max_measure_difference 0.06") == 2
    assert "quality.max_measure_difference 0.02" in words
    assert "experiments own:" in words


def test_no_tables_is_an_error(tmp_path):
    write_index(tmp_path)
    with pytest.raises(DataError, match="run the landmarks stage first"):
        calibration.calibrate(validate({}), tmp_path)
