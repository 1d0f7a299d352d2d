"""
Chromium without a window, driven through the DevTools protocol over a pipe.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.support.process import PATIENCE

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

_DUP = """
import os, sys
for source, target in ((int(sys.argv[1]), 3), (int(sys.argv[2]), 4)):
    os.dup2(source, target)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""The browser reads what it is asked from descriptor 3 and answers on 4."""

OPTIONS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def find_browser() -> str:
    """
    :return: the path of a Chromium.
    :raises SkipTest: if there is none.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise SkipTest(f"there is none of {', '.join(NAMES)} here")
    return found


class Browser:
    """
    A browser with a profile of its own; it ends with `stop`.

    :param options: beside `OPTIONS`.
    """

    def __init__(self, *options: str) -> None:
        program = find_browser()
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        asked, self._ask = os.pipe()
        self._answers, answered = os.pipe()
        options = (*OPTIONS, *options, f"--user-data-dir={self._profile}")
        if os.geteuid() == 0:
            options = (*options, "--no-sandbox")
        high = [os.dup(each) for each in (asked, answered)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DUP, *map(str, high), program, *options, "about:blank"],
            pass_fds=high,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for each in (asked, answered, *high):
            os.close(each)
        self._buffer = b""
        self._count = 0
        self._results: dict[int, dict[str, Any]] = {}
        self._pages: dict[str, Page] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and remove its profile."""
        try:
            self.command("Browser.close")
            self._process.wait(PATIENCE)
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._ask)
        os.close(self._answers)
        shutil.rmtree(self._profile, ignore_errors=True)

    def page(self, *, width: int = 1440, height: int = 900, **emulated: bool) -> Page:
        """:return: a new tab, in a context of its own; see `Page`."""
        context = self.command("Target.createBrowserContext")["browserContextId"]
        return self.tab(context, width=width, height=height, **emulated)

    def tab(self, context: str, *, width: int = 1440, height: int = 900, **emulated: bool) -> Page:
        """:return: another tab of a context."""
        target = self.command("Target.createTarget", url="about:blank", browserContextId=context)[
            "targetId"
        ]
        session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session, target, context)
        page.prepare(width, height, **emulated)
        return page

    def command(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """
        Have the browser do something.

        :return: the result.
        :raises AssertionError: if it cannot.
        """
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        written = json.dumps(message).encode() + b"\0"
        while written:
            written = written[os.write(self._ask, written) :]
        end = time.monotonic() + PATIENCE
        while number not in self._results:
            self.listen(end - time.monotonic())
        result = self._results.pop(number)
        if "error" in result:
            raise AssertionError(f"{method}: {result['error']}")
        found: dict[str, Any] = result["result"]
        return found

    def listen(self, seconds: float) -> None:
        """Take what the browser says next, within this time."""
        ready, _, _ = select.select([self._answers], [], [], max(0.0, seconds))
        if not ready:
            raise AssertionError("the browser does not answer")
        data = os.read(self._answers, 1 << 20)
        if not data:
            raise AssertionError("the browser has ended")
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._results[message["id"]] = message
            elif message.get("sessionId") in self._pages:
                self._pages[message["sessionId"]].take(message["method"], message["params"])


class Page:
    """
    One tab.

    :ivar complaints: what the console said: exceptions, violations of the policy, failed loads.
    :ivar requested: the URLs that it has asked for.
    """

    def __init__(self, browser: Browser, session: str, target: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target
        self.context = context
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self.media_types: dict[str, str] = {}

    def prepare(
        self, width: int, height: int, *, is_dark: bool = False, has_scripts: bool = True
    ) -> None:
        """Begin with these properties."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")
        self.resize(width, height)
        scheme = "dark" if is_dark else "light"
        self.command(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )
        if not has_scripts:
            self.command("Emulation.setScriptExecutionDisabled", value=True)

    def resize(self, width: int, height: int) -> None:
        """Give it another size."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """See `Browser.command`."""
        return self._browser.command(method, self._session, **parameters)

    def take(self, method: str, parameters: dict[str, Any]) -> None:
        """Take an event of this tab."""
        if method == "Network.requestWillBeSent":
            self.requested.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.complaints.append(str(parameters["args"]))

    def open(self, url: str) -> None:
        """Go to a URL, and wait until it is loaded."""
        self.command("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def close(self) -> None:
        """Close the tab."""
        self._browser.command("Target.closeTarget", targetId=self._target)

    def evaluate(self, expression: str) -> Any:
        """:return: the value of an expression in the page; scripts of the page's may be off."""
        found = self.command(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, expression: str, patience: float = PATIENCE) -> Any:
        """
        :return: the first true value of an expression.
        :raises AssertionError: if there is none in time.
        """
        return self._wait(lambda: self._quietly(expression), expression, patience)

    def _quietly(self, expression: str) -> Any:
        try:
            return self.evaluate(expression)
        except AssertionError as error:
            # Between two documents.
            if any(word in str(error) for word in ("context", "navigated", "of null")):
                return None
            raise

    def _wait(self, condition: Callable[[], Any], what: str, patience: float) -> Any:
        end = time.monotonic() + patience
        while not (value := condition()):
            if time.monotonic() > end:
                raise AssertionError(f"waited {patience} s in vain for {what}\n{self.text}")
            try:
                self._browser.listen(0.05)
            except AssertionError:
                continue
        return value

    def wait_for_text(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until the page shows a text."""
        self.wait_for(f"document.body.innerText.includes({json.dumps(text)})", patience)

    def wait_until_gone(self, text: str, patience: float = PATIENCE) -> None:
        """Wait until the page shows a text no longer."""
        self.wait_for(f"!document.body.innerText.includes({json.dumps(text)})", patience)

    @property
    def text(self) -> str:
        """What it shows."""
        return str(self.evaluate("document.body.innerText"))

    def row(self, text: str) -> str:
        """:return: the text of the innermost row of a table that contains a text."""
        return str(
            self.evaluate(
                "([...document.querySelectorAll('tr')].reverse()"
                f".find(row => row.innerText.includes({json.dumps(text)}))"
                "?? {innerText: ''}).innerText"
            )
        )

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key, such as ``Tab``, ``Enter`` or ``a``."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        common = {
            "key": key,
            "code": {" ": "Space"}.get(key, key),
            "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper())),
            "modifiers": 8 if shift else 0,
        }
        kind = "keyDown" if text else "rawKeyDown"
        self.command("Input.dispatchKeyEvent", type=kind, text=text, **common)
        self.command("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.command("Input.insertText", text=text)

    def screenshot(self, file: Path, *, is_whole: bool = True) -> None:
        """Save what it looks like, as PNG."""
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=is_whole)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(shot["data"]))
