"""What the audit of a file of predictions says, for a terminal, and as files."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aacsfnet.evaluation.file_audit.audit_file import FileAudit
from aacsfnet.files import replacing
from aacsfnet.report.figure_tables import figure_tables
from aacsfnet.report.result_tables import as_text, write_tables


def _tables(audit: FileAudit) -> list[Any]:
    known: Mapping[str, Any] = {audit.submission.name: audit.figures}
    return figure_tables(known, audit.submission.label)


def in_words(audit: FileAudit) -> str:
    """Return how the file was read, its figures, remarks, and what is wrong, in lines."""
    figures, submission = audit.figures, audit.submission
    lines = [f"{submission.name}: {len(submission.rows)} rows", *submission.told, ""]
    lines.append(
        f"{figures['frames']} frames of {figures['subjects']} people evaluated"
        f" ({figures['bootstrap']['confidence']:.0%} intervals from resampling people)"
    )
    lines += [f"\n{as_text(table)}" for table in _tables(audit)]
    lines += ["", *(f"note: {remark}" for remark in audit.remarks), ""]
    for number, finding in enumerate(audit.findings, 1):
        lines.append(f"{number}. {finding}")
    count = len(audit.findings)
    lines.append(f"{count} finding{'s' * (count != 1)}" if count else "nothing wrong found")
    return "\n".join(lines)


def write(audit: FileAudit, folder: Path) -> None:
    """Write `metrics.json`, `findings.json` and the tables as CSV and LaTeX into a folder."""
    found = [
        {"kind": finding.kind, "evidence": finding.evidence, "advice": finding.advice}
        for finding in audit.findings
    ]
    said = {"read": list(audit.submission.told), "notes": list(audit.remarks), "findings": found}
    for name, value in (("metrics.json", audit.figures), ("findings.json", said)):
        with replacing(folder / name) as temporary:
            temporary.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", "utf-8")
    write_tables(_tables(audit), folder / "tables")
