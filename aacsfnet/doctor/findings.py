"""What the doctor says: findings, and how they read in a terminal."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "note", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing met: how grave, about what, what it is, and what to do ("" if nothing)."""

    level: Level
    about: str
    message: str
    advice: str = ""


def render(findings: list[Finding]) -> str:
    """Return findings as text for a terminal, the gravest last, with a closing line."""
    marks = {"ok": "  ok   ", "note": " note  ", "warning": "WARNING", "error": " ERROR "}
    order = list(marks)
    lines = []
    for finding in sorted(findings, key=lambda finding: order.index(finding.level)):
        head, *rest = finding.message.splitlines() or [""]
        lines.append(f"{marks[finding.level]}  {finding.about}: {head}")
        lines += [f"         {line}" for line in rest]
        if finding.advice:
            lines.append(f"         -> {finding.advice}")
    found = Counter(finding.level for finding in findings)
    closing = f"{found['error']} errors, {found['warning']} warnings, {found['note']} notes"
    return "\n".join([*lines, closing])
