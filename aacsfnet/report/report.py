"""The stage `report`: one HTML page that holds everything it shows and opens anywhere."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from aacsfnet import premises
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.results import Results
from aacsfnet.files import replacing
from aacsfnet.layout import Layout, ReportFiles
from aacsfnet.made import of_report
from aacsfnet.pages import STYLE, environment
from aacsfnet.report import picture_sections, result_sections, training_sections
from aacsfnet.report.drawing import saving
from aacsfnet.report.explain_section import explain_section
from aacsfnet.report.gate_section import gate_section
from aacsfnet.report.names import Names
from aacsfnet.report.origins import provenance
from aacsfnet.report.reliability_section import reliability_section
from aacsfnet.report.result_tables import Table, remove_others, write_tables
from aacsfnet.report.review_sections import review_section
from aacsfnet.tables import MEASURES

_PAGE = Path(__file__).parent / "page"


def report(config: Config, results: Path, output: Path) -> None:
    """Write the report on everything that is there; what is not yet there is said in a sentence.

    Its tables and plots stand beside it as files of their own: of `report.html` in
    `report/tables/*.csv` and `*.tex`, `report/figures/*.svg` and `*.pdf`.

    Args:
        config: all settings; `report` rules the page, the others are printed on it.
        results: the data set's results, `results/<dataset>`.
        output: the HTML file.

    Raises:
        DataError: there is no index, or a table cannot be read.
    """
    files = ReportFiles(output)
    files.folder.mkdir(parents=True, exist_ok=True)
    with saving(files.figures, STYLE) as saved:
        text, tables = _page(config, results, files)
    remove_others(files.figures, saved.written, (".svg", ".pdf"))
    write_tables(tables, files.tables)
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _page(config: Config, results: Path, files: ReportFiles) -> tuple[str, list[Table]]:
    """Return the page's text, and its tables of results."""
    found = Results(Layout(config, results))
    label = open_dataset(config).label
    names = Names(found.index["subject"].unique(), config.report.subject_names)
    count = config.report.examples

    def by_view(stage: str, section: Callable[..., Any], *more: Any) -> dict[str, Any]:
        return {of: section(view, *more) for of, view in found.views(stage).items()}

    figures = result_sections.results_section(found, names, label)
    review = review_section(found, names, label, figures.get("comparison", {"rows": []}))
    page = _environment().get_template("page.html")
    text = page.render(
        title=config.report.title,
        dataset=config.dataset,
        warnings=[premise.message for premise in premises.warnings(config)],
        label=label,
        axis=picture_sections.axis_of(label),
        written=datetime.datetime.now(datetime.UTC),
        made_from=json.dumps(of_report(config, found.layout.index, found.layout.figures())),
        named=config.report.subject_names,
        confidence=config.evaluate.confidence,
        summary=result_sections.summary_section(found),
        data=picture_sections.data_section(found, names, label),
        faces=by_view("landmarks", picture_sections.faces_section, names, count),
        prompts=by_view("prompts", picture_sections.prompts_section, names, count),
        generated=by_view("quality", picture_sections.generated_section, names, count),
        gate=by_view("quality", gate_section, names, label),
        merged=by_view("merge", training_sections.merged_section),
        training=training_sections.training_section(found, config.training_seeds),
        results=figures,
        reliability=reliability_section(found, label),
        review=review,
        measures=len(MEASURES),
        files=files.folder.name,
        explained=explain_section(found),
        provenance=provenance(config, found),
    )
    return text, review["files"]


def _environment() -> jinja2.Environment:
    found = environment(_PAGE)
    found.filters["figure"] = Markup  # SVG that this package drew; matplotlib escapes text
    return found
