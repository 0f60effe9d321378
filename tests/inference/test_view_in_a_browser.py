"""The page in a real browser: the right frame is seen, and what is marked is saved."""

import shutil
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from aacsfnet.inference.exclude import read_stretches
from aacsfnet.inference.view.view import view
from tests.browser import Browser, program

from .made_tables import HEIGHT, WIDTH, film, number_in, numbered, rows, table

COUNT = 40
SCRUB = "Number(document.getElementById('scrub').value)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program()
    with Browser(tmp_path_factory.mktemp("browser") / "own") as opened:
        yield opened


def turned(number):
    return np.ascontiguousarray(np.rot90(numbered(number, 320, 240)))


def narrow(number):
    return np.ascontiguousarray(numbered(number, 240, 320)[:, ::2])


#: By name: how the film is made, and the size in which it is shown.
FILMS = {
    "varying rate.mp4": ({}, (320, 240)),
    "b frames.mp4": ({"b_frames": True, "even": True}, (320, 240)),
    "b frames, varying rate.mp4": ({"b_frames": True}, (320, 240)),
    "begins late.mp4": ({"start": 2000}, (320, 240)),
    "turned.mp4": ({"picture": turned, "degrees": -90}, (240, 320)),
    "narrow pixels.mp4": ({"picture": narrow, "aspect": Fraction(2, 1)}, (320, 240)),
    "vp9.webm": ({"codec": "libvpx-vp9"}, (320, 240)),
    "hevc 'turned'.mov": ({"codec": "libx265", "picture": turned, "degrees": -90}, (240, 320)),
    "odd.avi": (
        {"codec": "mpeg4", "picture": lambda n: numbered(n, 241, 321), "pixels": "yuv420p"},
        (321, 241),
    ),
}


def opened(browser, folder, name, how, size):
    times = film(folder / name, COUNT, **how)
    made = table(folder / "scores.csv", rows(name, times, size))
    written = view(made, folder / name, mesh=False)
    browser.errors.clear()
    browser.requests.clear()
    browser.open(written.page)
    browser.until("document.getElementById('film').readyState >= 2")
    return written


def seen(browser) -> int:
    """The number that the picture on the screen tells, once the browser is at rest."""
    browser.run("document.getElementById('faces').checked = false")
    browser.until("!document.getElementById('film').seeking")
    wanted = browser.run(SCRUB)
    for _ in range(40):  # a picture comes to the screen a little after it is there
        browser.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 20)))")
        left, top, width, height = (round(value) for value in browser.box("#stage"))
        found = number_in(browser.picture()[top : top + height, left : left + width])
        if found == wanted:
            break
    return found


@pytest.mark.parametrize("name", FILMS)
def test_each_frame_that_is_asked_for_is_seen(browser, tmp_path, name):
    how, size = FILMS[name]
    written = opened(browser, tmp_path, name, how, size)
    copied = name.startswith("b frames, ") or name.endswith((".mov", ".avi", ".webm"))
    assert (written.film.name != name) == copied == bool(written.why_copied)
    found, expected = [], []

    def check(frame):
        browser.until(f"document.getElementById('clock').textContent.includes('(frame {frame})')")
        found.append(seen(browser))
        expected.append(frame)

    check(0)
    for frame in range(1, 8):
        browser.key("ArrowRight")
        check(frame)
    for frame in (6, 5):
        browser.key("ArrowLeft")
        check(frame)
    browser.key("End")
    check(COUNT - 1)
    browser.key("ArrowLeft")
    check(COUNT - 2)
    browser.key("Home")
    check(0)
    for frame in (31, 7, 22):
        browser.run(
            f"(() => {{const s = document.getElementById('scrub'); s.value = {frame};"
            "s.dispatchEvent(new Event('input'));})()"
        )
        check(frame)
    assert found == expected
    assert browser.run("document.getElementById('alerts').textContent") == ""
    assert browser.errors == []
    folder = tmp_path.resolve().as_uri()
    assert all(url.startswith((folder, "data:")) for url in browser.requests), browser.requests


def test_mouse_and_finger_move_through_the_curve(browser, tmp_path):
    opened(browser, tmp_path, "film.mp4", {}, (WIDTH, HEIGHT))
    for phone in (False, True):
        browser.size(*((390, 844) if phone else (1280, 900)), phone=phone)
        browser.key("Home")
        browser.until(f"{SCRUB} === 0")
        left, top, width, height = browser.box("#curve")
        places = [(left + 38 + share * (width - 42), top + height / 3) for share in (0.2, 0.5, 0.9)]
        found = []
        for step, place in enumerate(places):
            if phone:
                browser.touch("touchMove" if step else "touchStart", place)
            else:
                browser.mouse("mouseMoved" if step else "mousePressed", *place)
            before = found[-1] if found else 0
            found.append(browser.until(f"Math.max({before}, {SCRUB}) - {before} && {SCRUB}"))
        if phone:
            browser.touch("touchEnd")
        else:
            browser.mouse("mouseReleased", *places[-1])
        assert found == sorted(set(found))
        assert found[-1] == seen(browser)
    browser.size(1280, 900)


def test_playing_moves_on_and_the_rest_is_where_it_stopped(browser, tmp_path):
    opened(browser, tmp_path, "film.mp4", {}, (WIDTH, HEIGHT))
    browser.key(" ")
    browser.until(f"{SCRUB} > 5")
    browser.key(" ")
    browser.until("document.getElementById('film').paused")
    stopped = seen(browser)
    assert stopped == browser.run(SCRUB) > 5


def test_a_frame_asked_for_while_the_film_plays_is_where_it_stops(browser, tmp_path):
    opened(browser, tmp_path, "film.mp4", {}, (WIDTH, HEIGHT))
    browser.key(" ")
    browser.until(f"{SCRUB} > 5")
    browser.key("End")
    browser.until("document.getElementById('film').paused")
    assert seen(browser) == browser.run(SCRUB) == COUNT - 1


def test_a_marked_stretch_is_saved_as_the_command_reads_it(browser, tmp_path):
    name = 'a "quoted", <b>name & co.mp4'
    opened(browser, tmp_path, name, {}, (WIDTH, HEIGHT))
    shutil.rmtree(browser.downloads)
    browser.downloads.mkdir()
    for _ in range(3):
        browser.key("ArrowRight")
    browser.key("i")
    for _ in range(4):
        browser.key("ArrowRight")
    browser.key("o")
    browser.run("document.querySelector('#stretches input').focus()")
    browser.call("Input.insertText", text='nurse, "before"')
    browser.run("document.getElementById('save').click()")
    saved = None
    for _ in range(100):
        saved = next(browser.downloads.glob("*.csv"), None)
        if saved and saved.stat().st_size:  # the name is taken before the bytes come
            break
        browser.run("new Promise((done) => setTimeout(done, 50))")
    (stretch,) = read_stretches(saved)
    assert (stretch.path, stretch.first, stretch.last) == (name, 3, 7)
    assert stretch.note == 'nurse, "before"'
    times = pl.read_csv(tmp_path / "scores.csv").unique("frame").sort("frame")["time_s"]
    assert (stretch.first_s, stretch.last_s) == pytest.approx((times[3], times[7]), abs=1e-5)
    browser.run("document.querySelector('#stretches button:last-child').click()")
    assert browser.run("document.querySelectorAll('#stretches tr').length") == 0


def test_a_film_that_is_not_there_is_told(browser, tmp_path):
    written = opened(browser, tmp_path, "film.mp4", {}, (WIDTH, HEIGHT))
    (tmp_path / "film.mp4").unlink()
    browser.open(written.page)
    words = browser.until("document.getElementById('alerts').textContent")
    assert "film.mp4" in words
    assert "--copy" in words


def test_a_browser_that_shows_another_frame_is_told_of(browser, tmp_path, monkeypatch):
    # Chromium takes frame 5 of this film to last beyond the end of frame 6.
    monkeypatch.setattr("aacsfnet.inference.view.view._why_not_played", lambda video: "")
    opened(browser, tmp_path, "film.mp4", {"b_frames": True}, (WIDTH, HEIGHT))
    for _ in range(6):
        browser.key("ArrowRight")
        seen(browser)
    assert "--copy" in browser.until("document.getElementById('alerts').textContent")


def test_nothing_keeps_anybody_out(browser, tmp_path):
    opened(browser, tmp_path, "film.mp4", {}, (WIDTH, HEIGHT))
    browser.key("i")
    browser.key("ArrowRight")
    browser.key("o")

    def check(where):
        assert browser.faults() == [], where
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), where

    browser.everywhere(check)
