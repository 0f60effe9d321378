"""Drawing for the page: matplotlib's SVG with the page's colours and font.

Colours are written as `var(--ink)` and the like, so a plot follows the page from light to dark and
to paper. Within `saving` each plot is also written as files of its own, SVG and PDF, in the page's
light colours.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgba
from matplotlib.figure import Figure

from aacsfnet.files import replacing

# Colours that nobody else uses stand for the page's variables until the SVG is written.
INK, MUTED, GRID, ACCENT, SECOND = "#000001", "#000002", "#000003", "#000011", "#000012"
SERIES = ("#000011", "#000012", "#000013", "#000014", "#000015", "#000016")
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line"} | {
    colour: f"series-{number}" for number, colour in enumerate(SERIES, 1)
}
# The accent (blue) from nearly nothing to full: readable on white and on black.
DENSITY = LinearSegmentedColormap.from_list(
    "density", [(0.2, 0.45, 0.85, 0.12), (0.2, 0.45, 0.85, 0.6), (0.95, 0.55, 0.1, 1.0)]
)

_STYLE: Any = {
    "font.size": 10,
    "font.family": "sans-serif",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollar signs
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",  # text stays text: searchable, in the page's font
    "path.simplify": True,
}


@dataclass(frozen=True)
class Saving:
    """Where plots are written too, in which colours by the page's names, and what was written."""

    folder: Path
    colours: dict[str, str]
    written: set[Path] = field(default_factory=set)


_SAVING: ContextVar[Saving | None] = ContextVar("saving", default=None)


@contextmanager
def saving(folder: Path, style: str) -> Iterator[Saving]:
    """Write what is drawn meanwhile as files of a folder too.

    Args:
        folder: for `<name>.svg` and `<name>.pdf`.
        style: the page's CSS, whose first values of the colours are the light ones.
    """
    colours: dict[str, str] = {}
    for name, value in re.findall(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})", style):
        colours.setdefault(name, value)
    now = Saving(folder, colours)
    token = _SAVING.set(now)
    try:
        yield now
    finally:
        _SAVING.reset(token)


def _save(figure: Figure, svg: str, name: str, to: Saving) -> None:
    """Write a figure, and its SVG as it was drawn for the page, in the colours they stand for."""
    real = {colour: to.colours[variable] for colour, variable in _VARIABLES.items()}
    for colour, exchanged in real.items():
        svg = svg.replace(colour, exchanged)
    for artist in figure.findobj():
        for part in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
            _recolour(artist, part, real)
    figure.set_layout_engine("none")  # all is in its place already
    with replacing(to.folder / f"{name}.svg") as temporary:
        temporary.write_text(svg, encoding="utf-8")
    with replacing(to.folder / f"{name}.pdf") as temporary:
        figure.savefig(temporary, format="pdf", metadata={"CreationDate": None})
    to.written.update(to.folder / f"{name}{suffix}" for suffix in (".svg", ".pdf"))


def _recolour(artist: Any, part: str, real: dict[str, str]) -> None:
    """Give a part of an artist the colour that the one it was drawn in stands for."""
    get, put = getattr(artist, f"get_{part}", None), getattr(artist, f"set_{part}", None)
    if get is None or put is None:
        return
    found = get()
    if isinstance(found, str | tuple):
        if found == "none" or found == "auto":
            return
        exchanged = real.get(to_hex(found))
        if exchanged:
            put(to_rgba(exchanged, to_rgba(found)[3]))
    elif getattr(found, "ndim", 0) == 2 and len(found):  # of a collection, one row a member
        put([to_rgba(real.get(to_hex(row), row), row[3]) for row in found])


@contextmanager
def drawing(
    name: str, size: tuple[float, float], rows: int = 1, columns: int = 1
) -> Iterator[tuple[io.StringIO, list[Axes]]]:
    """Yield what holds the SVG afterwards, and the axes of a figure of `size` inches."""
    page = io.StringIO()
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        yield page, list(figure.subplots(rows, columns, squeeze=False).flat)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
        if (to := _SAVING.get()) is not None:
            _save(figure, written.getvalue(), name, to)
    page.write(_for_page(written.getvalue(), name))


def _for_page(svg: str, name: str) -> str:
    """Return the `<svg>` element with ids of its own, no fixed size, and the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    head, rest = svg.split(">", 1)
    width = float(re.findall(r'width="([0-9.]+)pt"', head)[0]) * 4 / 3
    head = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", head)
    rest = rest.replace("xlink:href", "href")
    for colour, variable in _VARIABLES.items():
        rest = rest.replace(colour, f"var(--{variable})")
    # The page's own font; sizes stay. matplotlib writes either `font` or `font-family`.
    rest = re.sub(r"font: (?:[a-z0-9]+ )*?([0-9.]+px) [^;\"]*", r"font-size: \1", rest)
    rest = re.sub(r"font-family: [^;\"]*;? ?", "", rest)
    return f'{head} style="max-width: {width:.0f}px" aria-hidden="true">{rest}'
