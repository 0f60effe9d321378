"""A headless Chromium, driven over a pair of pipes: no server, no further package, no network."""

import base64
import fcntl
import importlib.util
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LONGEST = 30.0  # seconds that anything may take
_KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Tab": 9, " ": 32}


def program() -> str:
    """Return the browser's program, or skip the test."""
    found = [path for name in _NAMES if (path := shutil.which(name))]
    if not found:
        pytest.skip(f"no browser found; looked for {', '.join(_NAMES)}")
    return found[0]


def _axe() -> str:
    """Return axe-core's script, or skip the test."""
    found = importlib.util.find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core-python, which carries axe-core, is not installed")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


class Browser:
    """One tab, in `with`. Its window is that of a desktop until `size` changes it.

    Args:
        folder: for the profile and for downloads, empty.
    """

    def __init__(self, folder: Path) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._number, self._session = 0, ""
        to_child, self._to = os.pipe()
        self._from, from_child = os.pipe()
        # The browser reads from 3 and writes to 4, whatever numbers the pipes have here.
        ends = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (to_child, from_child)]
        words = [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        words += ["--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"]
        words += ["--no-first-run", "--disable-background-networking", "--mute-audio"]
        self._process = subprocess.Popen(
            words,
            preexec_fn=lambda: [os.dup2(end, 3 + at) for at, end in enumerate(ends)],
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_child, from_child, *ends):
            os.close(end)
        self._waiting = b""

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        offline = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self.call("Network.emulateNetworkConditions", offline=True, **offline)
        self.call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            downloadPath=str(self.downloads),
        )
        self.size(1280, 900)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return what the browser answers to a command of its DevTools protocol."""
        number = self._send(method, **params)
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                found: dict[str, Any] = answer["result"]
                return found
            self._note(answer)

    def _send(self, method: str, **params: Any) -> int:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        return self._number

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._waiting:
            ready, _, _ = select.select([self._from], [], [], _LONGEST)
            assert ready, "the browser does not answer"
            part = os.read(self._from, 1 << 20)
            assert part, "the browser has ended"
            self._waiting += part
        message, self._waiting = self._waiting.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Page.javascriptDialogOpening":  # "leave, though unsaved?"
            self._send("Page.handleJavaScriptDialog", accept=True)
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"])[:600])
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def size(self, width: int, height: int, *, phone: bool = False, ratio: float = 1.0) -> None:
        """Give the window a size, or be a phone of that size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=ratio,
            mobile=phone,
        )
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)

    def everywhere(self, check: Callable[[str], None]) -> None:
        """Call a check on a desktop and on a phone, in light and in dark."""
        for width, height, phone in ((1280, 900, False), (390, 844, True)):
            for dark in (False, True):
                self.size(width, height, phone=phone)
                self.dark(dark)
                check(f"{'phone' if phone else 'desktop'}, {'dark' if dark else 'light'}")
        self.size(1280, 900)
        self.dark(False)

    def dark(self, dark: bool) -> None:
        """Prefer dark colours, or light ones."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def open(self, page: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of an expression, awaited where it is a promise."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true; return it."""
        end = time.monotonic() + _LONGEST
        while time.monotonic() < end:
            if value := self.run(script):
                return value
            time.sleep(0.03)
        raise AssertionError(f"never true: {script}; errors: {self.errors}")

    def key(self, key: str) -> None:
        """Press and release a key."""
        about: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": _KEYS.get(key, ord(key[0]))}
        if len(key) == 1:
            about["text"] = key
        self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the left button: mouseMoved, mousePressed, mouseReleased."""
        pressed = 0 if kind == "mouseReleased" else 1
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left",
            buttons=pressed,
            clickCount=1,
        )

    def touch(self, kind: str, *places: tuple[float, float]) -> None:
        """Touch: touchStart, touchMove, touchEnd."""
        points = [{"x": x, "y": y} for x, y in places]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Return left, top, width and height of an element in the window, scrolled to."""
        found = self.run(
            "(() => {const e = document.querySelector(" + json.dumps(selector) + ");"
            "e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height];})()"
        )
        left, top, width, height = found
        return left, top, width, height

    def picture(self, *, whole: bool = False) -> np.ndarray:
        """Return what is seen, `(H, W, 3)` uint8 RGB; or the whole page."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        pixels = np.frombuffer(base64.b64decode(data["data"]), np.uint8)
        read: np.ndarray = cv2.imdecode(pixels, cv2.IMREAD_COLOR)
        return np.ascontiguousarray(read[..., ::-1])

    def faults(self) -> list[str]:
        """Return what axe-core finds serious or critical on the page, in words."""
        self.call("Runtime.evaluate", expression=_axe())
        found = self.run("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['impact']} {each['id']}: {each['help']}: "
            + "; ".join(node["html"][:160] for node in each["nodes"][:4])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
