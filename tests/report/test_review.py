"""The section for a reviewer, and the tables and plots beside the page."""

import csv
import io
import json
import re
import zlib

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.evaluation.evaluate import evaluate
from aacsfnet.evaluation.paired import people_tests
from aacsfnet.report.checklist import PARTS, checklist
from aacsfnet.report.report import report
from aacsfnet.report.result_tables import Table, as_csv, as_tex
from tests.made_results import make_results
from tests.report.test_report import Page, section, written

FILES = ("figures-pooled", "figures-by_subject", "levels", "binary", "agreement", "calibration")
FILES += ("calibration-line", "differences", "groups", "gaps", "seeds", "each-seed", "subjects")


def with_people(made):
    """Give people sex and faces with measures, and evaluate again."""
    path = made.folder / "index.parquet"
    index = tables.read(path)
    sex = pl.when(pl.col("subject") < "d").then(pl.lit("=f")).otherwise(pl.lit("m"))
    tables.write(path, index.with_columns(sex=sex), "index")
    path = made.folder / "merge" / "index.parquet"
    merged = tables.read(path)
    noise = np.random.default_rng(1).normal(0, 0.3, (len(merged), len(tables.MEASURES)))
    noise[:, 0] += merged["label"].fill_null(0).to_numpy()
    measures = pl.DataFrame(noise, tables.MEASURES).to_struct("measures")
    kinds = tables.SCHEMAS["merge"]["measures"]
    tables.write(path, merged.with_columns(measures.cast(kinds)), "merge")
    for name in made.config.experiments:
        folder = made.experiment(name)
        paths = sorted(folder.glob("seed-*/fold-*/predictions.parquet"))
        evaluate(made.config, paths, folder, made.folder / "index.parquet", made.folder / "merge")
    return made


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    people = tuple("abcdefgh")
    made = with_people(make_results(tmp_path_factory.mktemp("review"), people, seeds=(1, 2)))
    return made, written(made)


def rows_of(made, name: str) -> list[dict[str, str]]:
    text = (made.folder / "report" / "tables" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def test_every_table_is_a_csv_and_a_tex_file(finished):
    made, _ = finished
    found = {path.name for path in (made.folder / "report" / "tables").iterdir()}
    assert {
        f"{name}{suffix}" for name in (*FILES, "geometry") for suffix in (".csv", ".tex")
    } <= found


def test_the_files_hold_the_figures_of_the_metrics_in_full_precision(finished):
    made, _ = finished
    metrics = json.loads((made.experiment("full") / "metrics.json").read_text())
    first = rows_of(made, "figures-pooled")[0]
    entry = metrics["pooled"]["pcc"]
    assert [float(first[f"PCC{end}"]) for end in ("", " low", " high")] == [
        entry["value"], entry["low"], entry["high"],
    ]  # fmt: skip
    two = next(row for row in rows_of(made, "binary") if row["pspi"] == "≥ 2")
    assert float(two["AUROC"]) == metrics["binary"][1]["pooled"]["auroc"]["value"]
    assert two["Frames"] == str(metrics["binary"][1]["frames"])
    mdc = rows_of(made, "agreement")[0]["MDC"]
    assert float(mdc) == metrics["agreement"]["mdc"]["value"]


def test_the_baseline_of_measures_stands_beside_the_others_and_is_spoken_of(finished):
    made, text = finished
    names = [row["Experiment"] for row in rows_of(made, "figures-pooled")]
    assert names[-3:] == ["always 0", "training mean", "facial measures (ridge)"]
    assert "Against a ridge regression on 15 facial measures" in section(text, "summary")
    assert "Would the face’s measures alone do?" in section(text, "review")


def test_differences_have_tests_over_people(finished):
    made, _ = finished
    predictions = {
        name: pl.read_parquet(made.experiment(name) / "predictions.parquet")
        for name in ("full", "no-generation")
    }
    expected = people_tests(predictions["no-generation"], predictions["full"], made_label())
    (mae, _) = rows_of(made, "differences")
    assert float(mae["p"]) == float(mae["p, Holm"]) == expected["mae"].p
    assert mae["People"] == "8"


def made_label():
    from tests.made_results import LABEL

    return LABEL


def test_small_groups_are_called_small_and_formulas_are_no_formulas(finished):
    made, text = finished
    words = section(text, "review")
    assert "Few people (below 10): =f (3), m (5)" in words
    groups = {row["Group"]: row for row in rows_of(made, "groups") if row["Experiment"] == "full"}
    assert groups["'=f"]["Few"] == "few"
    assert groups["m"]["People"] == "5"
    assert {row["By"] for row in rows_of(made, "gaps")} == {"sex"}


def test_the_spread_over_seeds_is_beside_the_interval_over_people(finished):
    made, text = finished
    assert "Would another seed say the same?" in section(text, "review")
    row = rows_of(made, "seeds")[0]
    assert float(row["Lowest seed"]) <= float(row["Figure, interval over people"])
    assert float(row["SD over seeds"]) > 0


def test_names_do_not_stand_in_the_files(finished, tmp_path):
    people = ("anna-1", "ben-2", "cleo-3", "dora-4")
    made = make_results(tmp_path, people)
    written(made)
    for path in (made.folder / "report").rglob("*.*"):
        assert not any(name.encode() in path.read_bytes() for name in people), path


def test_plots_are_files_in_real_colours(finished):
    made, _ = finished
    folder = made.folder / "report" / "figures"
    names = {path.stem for path in folder.glob("*.svg")}
    assert {"bland-altman", "calibration", "groups", "levels", "subjects"} <= names
    assert names == {path.stem for path in folder.glob("*.pdf")}
    for path in folder.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<?xml")
        assert "var(" not in text
        assert "#00000" not in text
    # The page's accent, as PDF writes it: 0x1f / 255.
    packed = (folder / "levels.pdf").read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", packed, flags=re.DOTALL)
    plain = b"".join(zlib.decompress(each) for each in streams if each[:1] == b"\x78")
    assert b"0.121" in plain
    assert not re.search(rb"(?<![0-9.])0 0 0\.0(039|078|117)", plain)


def test_files_of_a_plot_or_table_that_is_no_more_are_removed(made):
    written(made)
    for stale in ("figures/old.svg", "figures/old.pdf", "tables/old.csv", "tables/old.tex"):
        (made.folder / "report" / stale).write_text("")
    kept = made.folder / "report" / "tables" / "mine.txt"
    kept.write_text("")
    written(made)
    assert not list((made.folder / "report").rglob("old.*"))
    assert kept.is_file()


def test_the_same_results_make_the_same_files(made):
    def files():
        report(made.config, made.folder, made.folder / "report.html")
        paths = sorted((made.folder / "report").rglob("*.*"))
        return {path.name: path.read_bytes() for path in paths}

    assert files() == files()


def test_figures_of_before_the_review_make_a_page_that_says_so(made):
    for name in made.config.experiments:
        path = made.experiment(name) / "metrics.json"
        found = json.loads(path.read_text())
        for key in ("binary", "agreement", "calibration", "groups", "over_seeds"):
            found.pop(key)
        path.write_text(json.dumps(found))
    assert "No experiment has these figures yet" in section(written(made), "review")


def test_cells_are_quoted_for_csv_and_escaped_for_latex():
    table = Table("t", "100 % of it", ["A_b", "B & c"], [['x, "y"', -0.5], ["=1+1", None]])
    assert as_csv(table) == 'A_b,B & c\n"x, ""y""",-0.5\n\'=1+1,\n'
    text = as_tex(table)
    assert r"A\_b & B \& c \\" in text
    assert r"$-$0.500" in text
    assert text.startswith("% 100 % of it\n")


def test_the_checklist_has_every_item_and_what_the_run_knows(finished):
    made, _ = finished
    text = checklist(made.config, made.folder)
    numbers = [item.number for items in PARTS.values() for item in items]
    assert re.findall(r"^### (\S+) ", text, flags=re.MULTILINE) == numbers
    whole = list(dict.fromkeys(re.match(r"\d+", number).group() for number in numbers))
    assert whole == [str(number) for number in range(1, 28)]
    metrics = json.loads((made.experiment("full") / "metrics.json").read_text())
    value = metrics["pooled"]["pcc"]["value"]
    assert f"full, all frames: PCC {value:.3f} [" in text
    assert "8 people in 2 folds" in text
    assert "sex: =f 3, m 5." in text
    assert "Which ethics committee agreed" in text
    for part in text.split("### ")[1:]:
        assert "\n- " in part, part
    assert str(made.folder) not in text


def test_the_checklist_of_a_run_without_figures_says_so(made):
    import shutil

    shutil.rmtree(made.folder / "experiments")
    text = checklist(made.config, made.folder)
    assert "Without figures yet, so not told here: full, no-generation." in text
    assert "### 23a" in text


def test_the_page_with_all_of_it_is_well_formed(finished):
    page = Page(finished[1])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
