"""What all HTML pages share: one look, templates that escape, figures as printed."""

from pathlib import Path

import jinja2
from markupsafe import Markup

#: The style sheet of every page: colours by name, light and dark, on paper and on a phone.
STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def environment(templates: Path) -> jinja2.Environment:
    """Return the templates of a folder; every text is escaped, a name that nobody gave is refused.

    Args:
        templates: their folder.
    """
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["number"] = number
    found.globals["style"] = Markup(STYLE)  # noqa: S704 the package's own file
    return found


def number(value: float | None, digits: int = 3) -> str:
    """Return a figure as printed; undefined as a dash, and a true minus sign.

    >>> number(-0.12345), number(None)
    ('−0.123', '–')
    """
    if value is None or value != value:
        return "–"
    return f"{value:.{digits}f}".replace("-", "−")
