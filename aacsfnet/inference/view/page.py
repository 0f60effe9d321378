"""The page: one HTML file with its script, its style and the scores in it, and the film beside."""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from aacsfnet import __version__
from aacsfnet.inference.exclude import COLUMNS, Stretch
from aacsfnet.inference.view.mesh import LINES
from aacsfnet.inference.view.shown import KINDS, Shown
from aacsfnet.pages import STYLE, environment

_FOLDER = Path(__file__).parent / "page"
#: In the order in which each may use what comes before.
_SCRIPTS = ("film.js", "picture.js", "curve.js", "stretches.js", "main.js")


def page(shown: Shown, path: str, film: Path, output: Path, stretches: list[Stretch]) -> str:
    """Return the page as HTML.

    Args:
        shown: frames and scores.
        path: of the film, as the table has it.
        film: that is played; the page names it relative to `output`.
        output: where the page will stand.
        stretches: that are already left out.
    """
    data = shown.data() | {
        "path": path,
        "lines": LINES,
        "kinds": KINDS,
        "columns": COLUMNS,
        "stretches": [[each.first, each.last, each.note] for each in stretches],
    }
    style = STYLE + (_FOLDER / "view.css").read_text(encoding="utf-8")
    parts = [(_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
    relative = os.path.relpath(film.resolve(), output.resolve().parent)
    text: str = (
        environment(_FOLDER)
        .get_template("view.html")
        .render(
            name=Path(path).name,
            film=_url(relative),
            size=shown.size,
            frames=len(shown.times),
            people=len(data["people"]),
            version=__version__,
            view_style=Markup(style),  # noqa: S704 the package's own files
            script=Markup(script),  # noqa: S704 likewise
            style_hash=_hash(style),
            script_hash=_hash(script),
            data=_in_script(data),
        )
    )
    return text


def _url(relative: str) -> str:
    """Return a relative path as a URL that stays relative, whatever signs the names have.

    >>> _url("a film: 50%#2?.mp4")
    './a%20film%3A%2050%25%232%3F.mp4'
    """
    return "./" + quote(os.fsencode(relative.replace(os.sep, "/")))


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy lets an element of this text be known by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _in_script(data: Any) -> Markup:
    r"""Return JSON in which no sign can end the element that holds it.

    >>> print(_in_script(["</script>"]))
    ["\u003c/script\u003e"]
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 escaped above
