"""Others' files: each planted fault is found, and nothing on clean files."""

import json
import pickle
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import scipy.io

from aacsfnet.errors import DataError, SettingsError
from aacsfnet.evaluation import metrics
from aacsfnet.evaluation.file_audit.command import audit_file
from aacsfnet.evaluation.file_audit.findings import ADVICE
from tests.evaluation.submissions import CLEAN, FAULTS, arrays, plain, world


@pytest.fixture(scope="module")
def rows():
    return world(0)


def audited(path, columns=(), label=None, scale=None, claims=(), truth=None):
    from aacsfnet.config import Config

    config = Config.model_validate({"evaluate": {"bootstrap": 100}})
    return audit_file(path, config, columns, label, scale, claims, truth)


def kinds(path, **more) -> list[str]:
    return [finding.kind for finding in audited(path, **more).findings]


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_file_has_no_finding(name, rows, tmp_path):
    assert audited(CLEAN[name](rows, tmp_path)).findings == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(name, rows, tmp_path):
    found = audited(FAULTS[name](rows, tmp_path)).findings
    assert [finding.kind for finding in found] == [name]
    assert ADVICE[name] in str(found[0])
    assert any(letter.isdigit() for letter in found[0].evidence)


@pytest.mark.parametrize("name", ["plain", "arrays", "matlab", "comma"])
def test_figures_are_those_of_the_files_numbers(name, rows, tmp_path):
    found = audited(CLEAN[name](rows, tmp_path))
    tested = found.submission.tested()
    label = found.submission.label
    clipped = tested["prediction"].clip(label.low, label.high)
    pooled = found.figures["pooled"]
    assert pooled["mae"]["value"] == pytest.approx(metrics.mae(clipped, tested["label"]))
    assert pooled["pcc"]["value"] == pytest.approx(metrics.pcc(clipped, tested["label"]))
    assert found.figures["subjects"] == 12
    assert label.name == ("vas" if name == "matlab" else "pspi")


def test_two_seeds_are_two_seeds_and_rows_without_a_face_are_left_out(rows, tmp_path):
    found = audited(CLEAN["folds"](rows, tmp_path))
    assert found.figures["seeds"] == [0, 1]
    assert found.figures["over_seeds"]["pooled"]["mae"]["sd"] > 0
    assert "30 of 2880 rows are not evaluated" in found.remarks[0]


def test_training_and_generated_rows_are_not_evaluated(rows, tmp_path):
    found = audited(CLEAN["split"](rows, tmp_path))
    assert found.figures["subjects"] == 4
    assert found.figures["frames"] == 4 * 3 * 40


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (pl.col("pspi") / 16, ["rescaled"]),
        ((pl.col("pspi") * 0.7).floor(), ["cast"]),
        (pl.when(pl.int_range(pl.len()) % 50 == 3).then(0).otherwise("pspi"), ["blank_zero"]),
        (pl.col("pspi").clip(0, 9), ["clipped"]),
    ],
)
def test_the_true_labels_tell_what_was_done_to_labels(change, expected, rows, tmp_path):
    true = rows.select("frame", label=pl.col("pspi") * (0.7 if expected == ["cast"] else 1))
    true.write_csv(tmp_path / "truth.csv")
    changed = rows.with_columns(change.alias("pspi"))
    path = plain(changed.rename({"pspi": "label"}), tmp_path)
    found = kinds(path, truth=tmp_path / "truth.csv", label="pspi")
    assert found[: len(expected)] == expected


def test_frames_that_only_the_truth_knows_were_dropped(rows, tmp_path):
    rows.select("frame", "subject", "pspi").write_csv(tmp_path / "truth.csv")
    path = plain(rows.filter(~pl.col("frame").str.contains("/003[5-9]|/0040")), tmp_path)
    assert kinds(path) == []  # cut at the end of each sequence, nothing inside
    assert kinds(path, truth=tmp_path / "truth.csv") == ["dropped"]


def test_arrays_of_different_length_are_told(rows, tmp_path):
    path = arrays(rows, tmp_path, y_pred=rows["prediction"].to_numpy()[:-16])
    found = audited(path).findings
    assert [finding.kind for finding in found] == ["dropped"]
    assert "y_true 1440" in found[0].evidence
    assert "y_pred 1424" in found[0].evidence


def test_a_claim_beside_the_file_is_checked(rows, tmp_path):
    path = plain(rows, tmp_path)
    true = metrics.pcc(rows["prediction"], rows["pspi"])
    assert kinds(path, claims=[f"pcc={true:.2f}"]) == []
    assert kinds(path, claims=["PCC=0.5"]) == ["figure_differs"]
    assert kinds(path, claims=["pcc@p12=0"]) == ["undefined_pcc"]
    constant = plain(rows.with_columns(prediction=pl.lit(0.5)), tmp_path)
    assert kinds(constant, claims=["pcc=0"]) == ["constant", "undefined_pcc"]


@pytest.mark.parametrize("names", [("label", "yhat"), ("truth_x", "score")])
def test_columns_are_guessed_and_told_or_named(names, rows, tmp_path):
    label, prediction = names
    path = plain(rows.rename({"pspi": label, "prediction": prediction}), tmp_path)
    columns = [f"label={label}"] if label == "truth_x" else []
    found = audited(path, columns=columns)
    assert f"prediction: column {prediction!r}" in found.submission.told
    assert found.findings == []


@pytest.mark.parametrize(
    ("rename", "columns", "error", "words"),
    [
        ({"pspi": "thing"}, [], DataError, "no column is known to be the label; found"),
        ({"sequence": "pred"}, [], DataError, "'prediction' and 'pred' could each be"),
        ({}, ["label=nothing"], SettingsError, "no such column; found subject"),
        ({}, ["lable=pspi"], SettingsError, "no such role; expected one of subject"),
        ({}, ["pspi"], SettingsError, "expected role=column"),
        ({"subject": "prediction", "prediction": "x"}, [], DataError, "holds no number"),
    ],
)
def test_what_is_not_clear_is_asked(rename, columns, error, words, rows, tmp_path):
    with pytest.raises(error, match=words):
        audited(plain(rows.rename(rename), tmp_path), columns=columns)


@pytest.mark.parametrize("claim", ["pcc", "pcc=high", "auc=0.9", "pcc=0.1,0.2"])
def test_a_claim_that_cannot_be_read_is_refused(claim, rows, tmp_path):
    with pytest.raises(SettingsError, match="expected a measure"):
        audited(plain(rows, tmp_path), claims=[claim])


class Bomb:
    def __reduce__(self):
        return (open, ("/tmp/never-written-by-a-test", "w"))


def test_pickles_are_never_loaded(rows, tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, y_true=np.array([Bomb()], dtype=object), y_pred=np.zeros(1))
    with pytest.raises(DataError, match="pickled objects"):
        audited(path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="can hold code"):
        audited(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npz", b"no zip", "no NPZ file"),
        ("a.mat", b"no mat", "no MAT file"),
        ("a.csv", b"label,prediction\n", "no row"),
        ("a.csv", b"label,prediction\n,1\n2,\n", "no row to test has both"),
        ("none.csv", None, "no such file"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(name, content, words, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        audited(tmp_path / name)


def test_a_matrix_is_not_guessed_at(tmp_path):
    scipy.io.savemat(tmp_path / "m.mat", {"y_true": np.zeros((5, 3)), "y_pred": np.zeros(5)})
    with pytest.raises(DataError, match=r"y_true has shape \(5, 3\)"):
        audited(tmp_path / "m.mat")


def test_a_struct_of_matlab_is_opened(rows, tmp_path):
    inside = {"y_true": rows["pspi"].to_numpy(), "y_pred": rows["prediction"].to_numpy()}
    scipy.io.savemat(tmp_path / "s.mat", {"results": inside})
    assert audited(tmp_path / "s.mat").figures["frames"] == len(rows)


def test_the_command_prints_figures_and_findings_and_writes_them(rows, tmp_path):
    path = FAULTS["clipped"](rows, tmp_path)
    command = [
        sys.executable,
        "-m",
        "aacsfnet",
        "audit",
        str(path),
        "--output",
        str(tmp_path / "out"),
    ]
    command += ["--config", '{"evaluate": {"bootstrap": 100}}']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "Figures over all frames" in done.stdout
    assert "1. clipped: " in done.stdout
    assert done.stdout.endswith("1 finding\n")
    said = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert [finding["kind"] for finding in said["findings"]] == ["clipped"]
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["subjects"] == 12
    assert (tmp_path / "out" / "tables" / "binary.tex").is_file()


def test_the_command_wants_one_thing_to_audit():
    for more in ([], ["a.csv", "--results", "b"]):
        done = subprocess.run(
            [sys.executable, "-m", "aacsfnet", "audit", *more],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert "either a file of predictions or --results" in done.stderr
