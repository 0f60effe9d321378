import numpy as np
import pytest

from aacsfnet import table
from aacsfnet.augmentation import calibration
from aacsfnet.config import validate
from aacsfnet.errors import DataError
from aacsfnet.faces.geometry import MEASURES


def test_pairs_of_one_person():
    measures = np.array([[0.0, 0.0], [0.01, 0.05], [0.2, 0.0]])
    same, different = calibration.largest_changes(measures, np.array([0.0, 0.0, 3.0]), 2.0)
    assert same.tolist() == [0.05]
    assert sorted(different.tolist()) == pytest.approx([0.19, 0.2])


def test_figures_equal_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    same, different = random.gamma(2, 0.02, 300).round(3), random.gamma(3, 0.04, 500).round(3)
    got = calibration.calibrated(same, different)
    truth = np.repeat([0, 1], [300, 500])
    scores = np.concatenate([same, different])
    assert got.area == pytest.approx(metrics.roc_auc_score(truth, scores))
    false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
    best = (true - false).max()
    passes = got.at(got.best)
    assert passes[0] - passes[1] == pytest.approx(best)
    assert passes == pytest.approx(((same <= got.best).mean(), (different <= got.best).mean()))


def test_what_cannot_be_told_apart_has_an_area_of_one_half():
    random = np.random.default_rng(1)
    got = calibration.calibrated(random.random(2000), random.random(2000))
    assert got.area == pytest.approx(0.5, abs=0.03)


@pytest.fixture
def results(tmp_path):
    """Two subjects whose lids close with the label."""
    random = np.random.default_rng(2)
    for subject in ("a", "b"):
        rows = [
            {
                "frame_id": f"{subject}/q/{number}",
                "subject": subject,
                "sequence": "q",
                "label": label,
                "status": "ok",
                "reason": "",
                "measures": dict.fromkeys(MEASURES, 0.0)
                | {"lid_opening": 0.2 - 0.03 * label + random.normal(0, 0.005)},
            }
            for number, label in enumerate([0.0] * 20 + [2.0] * 10 + [4.0] * 5)
        ]
        path = tmp_path / "landmarks" / f"{subject}.00.parquet"
        table.write(path, table.frame("landmarks", rows), "landmarks")
    return tmp_path


def test_a_data_set_whose_labels_show_is_told_apart(results):
    got = calibration.calibrate(validate({}), results)
    assert got.same_pairs == 2 * (190 + 45 + 10)
    assert got.different_pairs == 2 * (20 * 10 + 20 * 5 + 10 * 5)
    assert got.area > 0.99
    assert 0.01 < got.best < 0.05
    # Pairs of different people would have spoilt the count: subjects are kept apart.


def test_no_tables_is_an_error(tmp_path):
    with pytest.raises(DataError, match="run the landmarks stage first"):
        calibration.calibrate(validate({}), tmp_path)
