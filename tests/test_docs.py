"""The documentation: its lines, the files it names, its page of settings, what its pages load."""

import re
from pathlib import Path

import pytest
import yaml

from aacsfnet.config import Config
from docs.hooks import outside_assets, settings_page

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "aacsfnet/**/*.md")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("name", PAGES)
def test_no_line_but_of_tables_and_pictures_is_longer_than_100_columns(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    long = [line for line in lines if len(line) > 100 and not line.startswith(("|", "!["))]
    assert not long


def test_every_file_of_ours_that_a_text_names_exists():
    folders = "docs|aacsfnet|tests|benchmarks|profiles|tools|workflow"
    path = re.compile(rf"(?<![\w/.-])((?:{folders})/[\w./-]+\.(?:md|py|json|yaml|smk))\b")
    code = [*ROOT.glob("aacsfnet/**/*.py"), *ROOT.glob("docs/*.py"), ROOT / "config.yaml"]
    missing = {
        f"{text.relative_to(ROOT)}: {named}"
        for text in [*code, *(ROOT / name for name in PAGES)]
        for named in path.findall(text.read_text(encoding="utf-8"))
        if not (ROOT / named).exists()
    }
    assert not missing


def test_the_settings_page_has_every_key_with_its_default():
    shown = {}
    block = shown
    for line in settings_page().splitlines():
        if heading := re.match(r"#{2,} `(.+)`$", line):
            block = shown
            for part in heading[1].split("."):
                block = block.setdefault(part, {})
        elif row := re.match(r"\| `(\w+)` \| `(.*?)` \|", line):
            block[row[1]] = yaml.safe_load(row[2])
    assert shown == Config().model_dump(mode="json")


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["https://cdn.example/a.js"]),
        ("<script async src=//cdn.example/a.js></script>", ["//cdn.example/a.js"]),
        ('<link rel="stylesheet" href="http://a.example/b.css">', ["http://a.example/b.css"]),
        ("@font-face { src: url('https://a.example/f.woff') }", ["https://a.example/f.woff"]),
        ('@import "https://a.example/b.css";', ["https://a.example/b.css"]),
        ('<a href="https://a.example">elsewhere</a> <img src="../flow.png">', []),
        ('<link rel="canonical" href="https://a.example/"> url(fonts/a.woff)', []),
    ],
)
def test_what_a_page_loads_from_another_server_is_found(page, found):
    assert outside_assets(page) == found
