"""Hooks of MkDocs: the page of settings is generated, assets of other servers are refused."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from aacsfnet.config import Config
from aacsfnet.config.files import limits, value_text

_INTRODUCTION = """\
# Settings

Every key with its default. A settings file of your own holds the keys that differ; it is merged
into `config.yaml` key by key. Unknown keys, wrong types and impossible values are one line each
before the first job.
"""

#: A tag that makes a browser load something, with where it loads it from.
_LOADS = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?([^\"'\s>]+)")
_LOADS_IN_CSS = re.compile(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)")
_ELSEWHERE = re.compile(r"(?:https?:)?//")
_NOT_LOADED = re.compile(r"<link\b[^>]*\brel=[\"']?(?:canonical|prev|next)\b[^>]*>")


def settings_page() -> str:
    """Return the page of all settings as Markdown, from the classes of the configuration."""
    return "\n".join([_INTRODUCTION, *_section(Config, Config().model_dump(mode="json"), "")])


def _section(block: type[BaseModel], values: dict, key: str) -> list[str]:
    rows, below = [], []
    for name, field in block.model_fields.items():
        kind, path = field.annotation, f"{key}.{name}".lstrip(".")
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            heading = "#" * (2 + path.count("."))
            below += [f"{heading} `{path}`", "", (kind.__doc__ or "").splitlines()[0], ""]
            below += _section(kind, values[name], path)
        else:
            cells = (f"`{name}`", f"`{value_text(values[name])}`", limits(field), field.description)
            rows.append("| " + " | ".join(_cell(cell or "") for cell in cells) + " |")
    head = ["| key | default | range | meaning |", "|---|---|---|---|"]
    return ([*head, *rows, ""] if rows else []) + below


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def outside_assets(page: str) -> list[str]:
    """Return what an HTML page or style sheet loads from another server."""
    page = _NOT_LOADED.sub("", page)
    found = _LOADS.findall(page) + _LOADS_IN_CSS.findall(page)
    return [each for each in found if _ELSEWHERE.match(each)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the settings' page, which no file holds."""
    files.append(File.generated(config, "reference/settings.md", content=settings_page()))
    return files


def on_post_build(config: MkDocsConfig) -> None:
    """Stop the build when a page or style sheet would load something from another server.

    Raises:
        PluginError: one does.
    """
    site = Path(config.site_dir)
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        if found := outside_assets(path.read_text(encoding="utf-8")):
            raise PluginError(f"{path.relative_to(site)} loads {found[0]} from another server")
