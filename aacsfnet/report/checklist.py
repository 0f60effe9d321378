"""A reporting checklist in the order of TRIPOD+AI, filled in with what a run knows.

The items are asked in this project's own words; their numbers are those of the statement (Collins
et al., TRIPOD+AI, BMJ 2024;385:e078378). What only the author can know is marked as theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.results import Results
from aacsfnet.layout import Layout
from aacsfnet.report import checklist_facts as facts
from aacsfnet.report.checklist_facts import Run
from aacsfnet.report.origins import provenance

_TODO = "**TO WRITE:**"


@dataclass(frozen=True)
class Item:
    """One item: its number, what it asks, what the run knows, and what is left to the author."""

    number: str
    asks: str
    known: Callable[[Run], list[str]] | None = None
    author: str = ""


def checklist(config: Config, results: Path) -> str:
    """Return the checklist of a run as Markdown.

    Raises:
        DataError: there is no index, or a table cannot be read.
    """
    found = Results(Layout(config, results))
    measured = {name: found.metrics(name) for name in found.experiments}
    # Figures of before there were groups and thresholds say too little; evaluate again.
    known = {name: one for name, one in measured.items() if one and "binary" in one}
    run = Run(config, found, open_dataset(config).label, known, provenance(config, found))
    lines = [
        "# Reporting checklist",
        "",
        "In the order of TRIPOD+AI (Collins et al., BMJ 2024;385:e078378), whose text is the one to"
        " follow. Filled in is what the run knows; "
        f"{_TODO} marks what only the author can say.",
        "",
    ]
    missing = [name for name in found.experiments if name not in known]
    if missing:
        lines += [f"Without figures yet, so not told here: {', '.join(missing)}.", ""]
    for part, items in PARTS.items():
        lines += [f"## {part}", ""]
        for item in items:
            lines += [f"### {item.number} {item.asks}", ""]
            told = item.known(run) if item.known else []
            lines += [f"- {line}" for line in told]
            if item.author or not told:
                lines.append(f"- {_TODO} {item.author or 'to be said by the author.'}")
            lines.append("")
    return "\n".join(lines)


PARTS: dict[str, tuple[Item, ...]] = {
    "Title and abstract": (
        Item("1", "Does the title say what is predicted, in whom, and that it is a model?"),
        Item("2", "Is there an abstract after TRIPOD+AI for abstracts?"),
    ),
    "Introduction": (
        Item("3a", "Which health problem is it about, and why a model?"),
        Item("3b", "Who would use it, on whom, and at which point of care?"),
        Item("3c", "Which inequalities between groups are known?"),
        Item("4", "What are the aims: development, evaluation, or both?"),
    ),
    "Methods": (
        Item("5a", "Where do the data come from?", facts.source, "kind of study, why these data."),
        Item("5b", "When were they recorded?"),
        Item("6a", "In which setting and places?"),
        Item("6b", "Who could take part?"),
        Item("6c", "Which treatments did they get?"),
        Item("7", "How were the data prepared, and alike for all groups?", facts.preparation),
        Item(
            "8a",
            "What is predicted, and how was it determined?",
            facts.outcome,
            "who labelled, by which manual, alike for all groups?",
        ),
        Item("8b", "Who labelled, with which training, and did two agree?"),
        Item("8c", "Did those who labelled know anything else?"),
        Item("9a", "How were the predictors chosen?", facts.predictors),
        Item("9b", "How is each defined and measured?", facts.preparation, "camera and light."),
        Item("9c", "If people judged predictors: who, and with which training?"),
        Item("10", "How was the sample size reached?", facts.size, "why it is large enough."),
        Item("11", "How were missing data handled?", facts.missing),
        Item("12a", "How were data used for development and evaluation?", facts.folds),
        Item("12b", "How were predictors handled?", facts.preparation),
        Item("12c", "Which kind of model, built and validated how?", facts.model),
        Item("12d", "How was heterogeneity between groups or places looked at?", facts.fairness),
        Item("12e", "Which measures of performance, and how are models compared?", facts.measures),
        Item("12f", "Was the model updated, recalibrated say?", lambda run: ["No."]),
        Item("12g", "How are predictions computed?", facts.specification),
        Item("13", "How was imbalance of classes handled?", facts.imbalance),
        Item("14", "What was done for fairness, and why?", facts.fairness, "why these groups."),
        Item("15", "What does the model put out, and which thresholds are used?", facts.output),
        Item("16", "How do training and evaluation data differ?", facts.people_of_both),
        Item("17", "Which ethics committee agreed, and did the participants?"),
    ),
    "Open science": (
        Item("18a", "Who paid, and which part did they have?"),
        Item("18b", "Which interests do the authors have?"),
        Item("18c", "Where is the protocol?"),
        Item("18d", "Where was the study registered?"),
        Item("18e", "Where are the data?", None, "licensed recordings: say how to apply for them."),
        Item("18f", "Where is the code?", facts.code),
        Item("19", "How did patients and the public take part?"),
    ),
    "Results": (
        Item("20a", "How many took part, and how many were left at each step?", facts.flow),
        Item("20b", "Who are they?", facts.characteristics, "what else describes them."),
        Item("20c", "How do those of the evaluation compare with those of the development?",
             facts.people_of_both),
        Item("21", "How many people and outcomes are in each analysis?", facts.analyses),
        Item("22", "Is the model given in full?", facts.specification),
        Item("23a", "How well does it do, with intervals, also in groups?", facts.performance),
        Item("23b", "How does that differ between people and groups?", facts.heterogeneity),
        Item("24", "What did updating change?", lambda run: ["There was none."]),
    ),
    "Discussion": (
        Item("25", "What do the results mean, fairness included?"),
        Item("26", "What are the limitations?", facts.limits, "those of your study."),
        Item("27a", "How are poor or missing inputs dealt with in use?",
             lambda run: ["Frames without a usable face keep a row with the reason."],
             "who decides then."),
        Item("27b", "Which skills does a user need?"),
        Item("27c", "What comes next?"),
    ),
}  # fmt: skip
