"""The page: whole, self-contained, escaped, and clear when parts are missing."""

import base64
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.evaluation.results import spread
from aacsfnet.report.pictures import thumbnail, with_landmarks
from aacsfnet.report.report import report
from aacsfnet.stages import SHARDED
from tests.made_results import make_results, write_explanation

SECTIONS = (
    *("summary", "data", "faces", "prompts", "generated", "gate", "training", "results"),
    *("reliability", "review", "explanation", "settings", "limits"),
)
HOSTILE = "<script>alert(1)</script>&\"'$x_1$"
_VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page in order, its ids, addresses and visible text; checks the nesting."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def written(made) -> str:
    output = made.folder / "report.html"
    report(made.config, made.folder, output)
    return output.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One page of complete results."""
    made = make_results(tmp_path_factory.mktemp("page"), seeds=(1, 2))
    return made, written(made)


def test_every_section_is_there_and_every_link_leads_somewhere(finished):
    page = Page(finished[1])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert set(SECTIONS) <= set(ids)
    for tag, attributes in page.elements:
        target = attributes.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in ids, (tag, target)
    for reference in re.findall(r"url\(#([^)]+)\)", finished[1]):
        assert reference in ids


def test_the_least_sure_faces_are_shown_with_their_scores(finished):
    sheet = section(finished[1], "faces").split("The least sure faces")[1]
    assert sheet.count("detector 0.90") == 12


def test_nothing_is_loaded_from_anywhere(finished):
    page = Page(finished[1])
    assert page.all("script") == []
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "xlink:href", "action", "data"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, name, value[:60])
        assert not any(name.startswith("on") for name in attributes)
    assert re.search(r"@import|url\((?!#)", finished[1]) is None
    assert re.search(r"(?:src|href)=.?https?:", finished[1]) is None


def test_what_scrolls_can_be_reached_by_keys_and_has_a_name(finished):
    scrolled = [
        attributes
        for tag, attributes in Page(finished[1]).elements
        if tag == "pre" or set((attributes.get("class") or "").split()) & {"scroll", "wide"}
    ]
    assert len(scrolled) > 10
    for attributes in scrolled:
        assert attributes["tabindex"] == "0", attributes
        assert attributes["role"] in ("region", "group")
        assert attributes["aria-label"].strip()


def test_every_picture_decodes_at_its_stated_size(finished):
    pictures = Page(finished[1]).all("img")
    assert len(pictures) == 4 + 12 + 4 * 3  # the least sure faces between
    for attributes in pictures:
        kind, data = attributes["src"].split(";base64,")
        assert kind == "data:image/webp"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), 1)
        assert decoded.shape == (int(attributes["height"]), int(attributes["width"]), 3)
        assert decoded.std() > 1
        assert attributes["alt"]


def test_the_headline_figures_are_those_of_the_metrics(finished):
    made, text = finished
    page = Page(text)
    import json

    for name in ("full", "no-generation"):
        metrics = json.loads((made.experiment(name) / "metrics.json").read_text())
        for entry in (metrics["pooled"]["pcc"], metrics["by_subject"]["mae"]):
            assert f"{entry['value']:.3f}" in page.text
            assert f"{entry['low']:.3f} to {entry['high']:.3f}" in page.text
    assert "always 0" in page.text
    assert "training mean" in page.text
    assert "not felt pain" in page.text
    assert "not a medical device" in page.text


def test_subjects_are_numbered_unless_names_are_asked_for(finished, tmp_path):
    made, text = finished
    for name in made.subjects:
        assert name not in text
    assert "S4" in text
    named = make_results(tmp_path, report={"examples": 2, "subject_names": True})
    assert all(name in Page(written(named)).text for name in named.subjects)


def test_hostile_names_stay_text(tmp_path):
    subjects = (HOSTILE, "plain", "</svg><b>", "four")
    made = make_results(
        tmp_path,
        subjects,
        report={"examples": 2, "subject_names": True, "title": "</title><script>x"},
    )
    text = written(made)
    page = Page(text)
    assert page.all("script") == []
    assert page.all("b") == Page(text.replace("&lt;b&gt;", "")).all("b")
    assert "<script" not in text
    assert HOSTILE in page.text


def test_the_page_is_small(finished):
    assert len(finished[1].encode()) < 1_000_000


def test_plots_follow_the_page_in_colour_and_font(finished):
    drawings = re.findall(r"<svg.*?</svg>", finished[1], flags=re.DOTALL)
    assert len(drawings) >= 9
    for drawing in drawings:
        assert "var(--ink)" in drawing
        assert "#0000" not in drawing
        assert "DejaVu" not in drawing
        assert "mathdefault" not in drawing


def test_a_gate_that_accepts_nothing_is_said_plainly(tmp_path):
    page = Page(written(make_results(tmp_path, accept=False)))
    assert "0 of 24 judged pictures passed (0 %)" in page.text
    assert "The gate accepted no picture" in page.text
    assert "landmark error # > #" in page.text


def section(text: str, name: str) -> str:
    """Return the visible text of one section."""
    found = re.search(rf'<section aria-labelledby="{name}">.*?</section>', text, flags=re.DOTALL)
    return Page(found.group()).text


def test_the_gate_is_shown_by_level_subject_kind_and_strength(finished, made):
    words = section(finished[1], "gate")
    rows = pl.concat([tables.read(path) for path in (made.folder / "quality").glob("*.parquet")])
    judged = rows.filter(pl.col("status").is_in(["ok", "rejected"]))
    accepted = judged.filter(status="ok")
    for number, subject in enumerate(sorted(made.subjects), 1):
        counts = [len(part.filter(subject=subject)) for part in (judged, accepted)]
        assert f"S{number} {counts[0]} {counts[1]} " in words
        assert subject not in words
    assert f"keep 0.5 {len(judged)} {len(accepted)} " in words  # at its strength


def test_units_that_nobody_checked_are_named(made):
    assert "Nobody checked" not in written(made)
    for path in (made.folder / "quality").glob("*.parquet"):
        rows = tables.read(path).with_columns(kind=pl.lit("level"))
        notes = tables.notes(path) | {"unchecked_units": ["au6", "au9"]}
        tables.write(path, rows, "quality", notes)
    assert "Nobody checked AU6 and AU9 of the pictures of another level" in written(made)


def test_each_experiments_own_figures_are_shown(made):
    made = made.with_own("strong", generate={"strength": 0.75})
    for path in (made.experiment("strong") / "generate").glob("*.parquet"):
        rows = tables.read(path)
        stronger = pl.col("recipe").str.replace('"strength": 0.5', '"strength": 0.75', literal=True)
        tables.write(path, rows.with_columns(stronger), "generate")
    for path in (made.experiment("strong") / "quality").glob("*.parquet"):
        rows = tables.read(path)
        none = pl.when(status="ok").then(pl.lit("rejected")).otherwise("status").alias("status")
        tables.write(path, rows.with_columns(none), "quality")
    text = written(made)
    words = section(text, "gate")
    shared, own = words.split("Of strong")
    assert "Of full, no-generation" in shared
    assert re.search(r" 12 of 24 judged .* 0\.5 24 12 ", shared)
    assert re.search(r" 0 of 24 judged .* 0\.75 24 0 ", own)
    assert "Of strong" in section(text, "generated")
    assert "generate (full, no-generation)" in section(text, "data")
    assert "crop (" not in section(text, "data")
    assert "Of " not in section(text, "prompts")


def test_own_prompts_and_own_landmarks_are_shown(made):
    made = made.with_own("wordy", prompts={"negative": "cartoon"})
    made = made.with_own("sure", landmarks={"min_confidence": 0.6})
    for path in (made.experiment("wordy") / "prompts").glob("*.parquet"):
        rows = tables.read(path).with_columns(tokens=pl.lit(70, pl.Int32))
        tables.write(path, rows, "prompts")
    text = written(made)
    prompts = re.split("Of (?:wordy|sure)", section(text, "prompts"))
    longest = [re.search(r"the longest takes (\d+) tokens", each).group(1) for each in prompts]
    assert longest == ["12", "70", "12"]
    assert section(text, "faces").count("Of ") == 2
    assert "landmarks (sure)" in section(text, "data")
    ids = [each.get("id") for _, each in Page(text).elements if each.get("id")]
    assert len(ids) == len(set(ids))


def test_a_stage_that_an_experiment_no_longer_overrides_is_not_shown(made):
    own = made.with_own("wordy", prompts={"negative": "cartoon"})
    assert "Of wordy" in written(own)
    experiments = own.config.experiments | {"wordy": {}}
    shared = own.config.model_copy(update={"experiments": experiments})
    assert "Of wordy" not in written(replace(own, config=shared))
    assert "wordy" not in written(made)


def test_what_a_prompt_had_no_room_for_is_told(finished, made):
    assert "Nothing was left out for want of room." in section(finished[1], "prompts")
    for path in (made.folder / "prompts").glob("*.parquet"):
        planned = pl.col("status") == "ok"
        lost = pl.when(planned).then(pl.lit(846, pl.Int32))
        points = pl.when(planned).then(pl.lit(3, pl.Int32))
        rows = tables.read(path).with_columns(lost.alias("left_out_tokens"), points.alias("points"))
        tables.write(path, rows, "prompts")
    words = section(written(made), "prompts")
    assert f"24 prompts had no room for all they had to say: {24 * 846:,} tokens" in words
    assert "of 68 landmark coordinates at most 3 are read" in words


def test_the_calibration_shows_its_errors(finished):
    words = section(finished[1], "gate")
    # Four people with ten and four pairs each, alike.
    row = "largest difference of a measure in force 0.05, by person 20.0 % 25.0 %"
    assert row in words
    assert "40 + 16" in words
    # By hand: of the 40 combinations of an equal and another pair, 34 are in the right order.
    assert "25.0 % 0.85 40 + 16" in words
    assert "difference of estimated PSPI settings 3 20.0 % 75.0 %" in words


def test_tables_of_the_gate_without_pairs_show_no_calibration(made):
    for path in (made.folder / "quality").glob("*.parquet"):
        tables.write(path, tables.read(path), "quality")
    assert "Calibration on real frames" not in written(made)


def test_weights_learned_beforehand_are_told(finished):
    assert "pretrained on rendered faces of other people" in Page(finished[1]).text


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        (("experiments",), "No experiment has been evaluated yet"),
        (("generate", "quality"), "No picture was generated and judged"),
        (("quality",), "The gate had no picture to judge"),
        (("prompts",), "No picture is planned"),
        (("landmarks",), "No frame has a face with landmarks"),
        (("merge",), "Training"),
        (
            (*SHARDED, "merge", "experiments"),
            "No network has been trained yet",
        ),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(made, missing, sentence):
    for stage in missing:
        shutil.rmtree(made.folder / stage)
    page = Page(written(made))
    assert sentence in page.text
    assert set(SECTIONS) <= {attributes.get("id") for _, attributes in page.elements}


def test_an_experiment_without_results_is_named(made):
    shutil.rmtree(made.experiment("no-generation"))
    page = Page(written(made))
    assert "Not evaluated yet: no-generation" in page.text


def test_only_the_experiments_of_the_settings_are_shown(made):
    shutil.copytree(made.experiment("full"), made.experiment("left-over"))
    assert "left-over" not in written(made)


def test_constant_predictions_make_a_page_too(made):
    from aacsfnet.evaluation.evaluate import evaluate

    paths = sorted(made.experiment("full").glob("seed-*/fold-*/predictions.parquet"))
    for path in paths:
        rows = pl.read_parquet(path)
        rows.with_columns(prediction=pl.lit(0.5, pl.Float32)).write_parquet(path)
    evaluate(made.config, paths, made.experiment("full"))
    page = Page(written(made))
    assert "has no defined correlation" in page.text
    assert "not below that of" in page.text


def test_reasons_lose_paths_and_numbers(finished):
    text = Page(finished[1]).text
    assert "no face in …" in text
    assert ".png" not in text


def test_examples_are_spread_over_levels_and_subjects():
    every = [(subject, level, copy) for subject in "abc" for level in range(4) for copy in range(5)]
    rows = pl.DataFrame(
        {
            "key": [f"{subject}{level}{copy}" for subject, level, copy in every],
            "subject": [subject for subject, _, _ in every],
            "label": [float(level) for _, level, _ in every],
        }
    )
    chosen = rows.filter(pl.col("key").is_in(spread(rows, 12, "key")))
    assert chosen["label"].value_counts()["count"].to_list() == [3] * 4
    assert chosen["subject"].value_counts()["count"].to_list() == [4] * 3
    assert spread(rows.sample(fraction=1, shuffle=True, seed=1), 12, "key") == spread(
        rows, 12, "key"
    )
    two = rows.filter(pl.col("key").is_in(spread(rows, 2, "key")))
    assert sorted(two["label"]) == [0, 3]
    assert len(spread(rows, 999, "key")) == 60
    assert spread(rows.head(0), 5, "key") == []


def test_landmarks_are_drawn_where_they_lie():
    picture = np.zeros((64, 64, 3), np.uint8)
    points = np.full((478, 3), 48.0, np.float32)
    points[:, 1] = 16.0
    drawn = with_landmarks(picture, points, 128)
    y, x = np.nonzero(drawn.sum(axis=2))
    # The centre of pixel 48 at 64 a side is 48.5 / 64 of the width.
    assert x.mean() + 0.5 == pytest.approx(48.5 * 2, abs=0.6)
    assert y.mean() + 0.5 == pytest.approx(16.5 * 2, abs=0.6)


def test_a_16_bit_depth_map_keeps_near_white():
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    small = thumbnail(tables.decode_png(tables.encode_png(ramp, "d.png")), 32)
    assert small.shape == (32, 32, 3)
    assert small[0, 0, 0] < 5
    assert small[0, -1, 0] > 250
    assert (np.diff(small[0, :, 0].astype(int)) >= 0).all()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_complaint(finished, tmp_path, width):
    path = finished[0].folder / "report.html"
    command = [
        *("chromium", "--headless", "--no-sandbox", "--disable-gpu"),
        *("--disable-background-networking", "--disable-sync", "--enable-logging=stderr", "--v=0"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"),
        *(f"--screenshot={tmp_path / 'page.png'}", path.as_uri()),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, env=os.environ
    )
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
    shown = cv2.imread(str(tmp_path / "page.png"))
    assert shown.std() > 5


def test_what_the_networks_read_is_shown_where_it_was_asked(made):
    assert "aacsfnet explain" in Page(written(made)).text
    write_explanation(made)
    page = Page(written(made))
    assert "of 8 frames of 4 subjects" in page.text
    assert "lips 16.7 % 25.0" in page.text
    assert "of the whole 75.0 % 100.0 %" in page.text
    maps = [each for each in page.all("img") if "Attribution" in (each["alt"] or "")]
    assert [each["alt"] for each in maps] == [
        f"Attribution of {branch} at pspi {level}, on the mean face"
        for level in (0, 4)
        for branch in ("channel", "fused")
    ]


def test_what_other_networks_read_is_not_shown(made):
    write_explanation(made, models={"seed-1/fold-0": "0" * 64})
    page = Page(written(made))
    assert "full was explained before its networks were trained again" in page.text
    assert not [each for each in page.all("img") if "Attribution" in (each["alt"] or "")]
