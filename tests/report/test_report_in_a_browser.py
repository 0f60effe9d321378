"""The report in a real browser: nothing keeps anybody out, nothing is fetched."""

import pytest

from aacsfnet.report.report import report
from tests.browser import Browser, program
from tests.made_results import write_explanation


@pytest.mark.slow
def test_nothing_keeps_anybody_out(made, tmp_path):
    program()
    write_explanation(made)
    report(made.config, made.folder, made.folder / "report.html")
    with Browser(tmp_path / "browser") as browser:
        browser.open(made.folder / "report.html")
        browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")

        def check(where):
            assert browser.faults() == [], where
            assert browser.run("document.documentElement.scrollWidth <= innerWidth"), where

        browser.everywhere(check)
        assert browser.errors == []
        assert [url for url in browser.requests if not url.startswith("data:")] == [
            (made.folder / "report.html").resolve().as_uri()
        ]
