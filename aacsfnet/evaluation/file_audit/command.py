"""What the command line says of a file of predictions, read."""

from collections.abc import Sequence
from pathlib import Path

from aacsfnet.config import Config, Evaluate
from aacsfnet.errors import SettingsError
from aacsfnet.evaluation.file_audit import audit_file as audit
from aacsfnet.evaluation.file_audit.roles import SCALES
from aacsfnet.evaluation.file_audit.stated import parse_claim
from aacsfnet.labels import Label


def audit_file(
    path: Path,
    config: Config | None,
    columns: Sequence[str],
    label: str | None,
    scale: str | None,
    claims: Sequence[str],
    truth: Path | None,
) -> audit.FileAudit:
    """Return the audit of a file as the command line asks for it; see `audit_file.audit_file`.

    Raises:
        DataError: the file cannot be read.
        SettingsError: an option cannot be read.
    """
    given = {}
    for text in columns:
        role, found, name = text.partition("=")
        if not found:
            raise SettingsError(f"--column {text!r}: expected role=column, e.g. prediction=yhat")
        given[role.strip()] = name.strip()
    settings = config.evaluate if config else Evaluate()
    return audit.audit_file(
        path,
        given,
        _label(label, scale),
        [parse_claim(text) for text in claims],
        truth,
        settings.bootstrap,
        settings.confidence,
        settings.thresholds,
    )


def _label(name: str | None, scale: str | None) -> Label | None:
    """Return the label that options describe, None where they do not.

    >>> _label("vas", None).high
    10.0
    """
    if name is None and scale is None:
        return None
    name = name or "label"
    if scale is None:
        if name.lower() not in SCALES:
            raise SettingsError(f"--label {name}: name its scale too, e.g. --range 0:100")
        return Label(name, *SCALES[name.lower()], "as --label says")
    try:
        low, high = (float(part) for part in scale.split(":"))
    except ValueError:
        raise SettingsError(f"--range {scale!r}: expected lowest:highest, e.g. 0:16") from None
    if not low < high:
        raise SettingsError(f"--range {scale!r}: the lowest must be below the highest")
    return Label(name, low, high, "as --range says")
