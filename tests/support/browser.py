"""Debian's chromium, driven over its own debugging protocol through pipes: no driver, no port."""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_SECONDS = 60.0


class Browser:
    """One page of a headless browser."""

    def __init__(self, sink: int, source: int) -> None:
        self._sink, self._source = sink, source
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self._loads = 0
        self.complaints: list[str] = []
        self.requested: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call the browser and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._sink, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._next()
            if heard.get("id") == self._number:
                assert "error" not in heard, heard
                return dict(heard["result"])

    def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        self._loads = 0
        self.send("Page.navigate", url=url)
        self.settle()

    def settle(self) -> None:
        """Wait until a page was loaded since the last call: the one before it looks complete all the while."""
        while self._loads == 0:
            self._next()
        self._loads = 0

    def close(self) -> None:
        """Ask the browser to end, which waits for its processes: killed, they would write on for a moment."""
        self._session = None
        self.send("Browser.close")

    def run(self, script: str) -> Any:
        """The value of an expression, by the debugger: the page's own policy does not bind it."""
        return self.send("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def press(self, key: str, text: str = "") -> None:
        """One key, as from a keyboard."""
        code = {"Tab": 9, "Enter": 13, " ": 32}.get(key, 0)
        common = {"key": key, "windowsVirtualKeyCode": code, "code": key}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.send("Input.insertText", text=text)

    def emulate(self, scheme: str) -> None:
        """Prefer ``light`` or ``dark``."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, file: Path) -> None:
        """The whole page as a PNG."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6_000), "scale": 1}
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._source], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            chunk = os.read(self._source, 1 << 20)
            assert chunk, "the browser ended"
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\0")
        heard: dict[str, Any] = json.loads(line)
        told = heard.get("params", {}).get("entry", {})
        if heard.get("method") == "Runtime.exceptionThrown" or told.get("level") in {"warning", "error"}:
            self.complaints.append(json.dumps(heard["params"])[:500])
        self._loads += heard.get("method") == "Page.loadEventFired"
        if heard.get("method") == "Network.requestWillBeSent":
            self.requested.append(heard["params"]["request"]["url"])
        return heard


@contextmanager
def browser() -> Iterator[Browser]:
    """A fresh profile in a browser of its own."""
    to_it, sink = os.pipe()
    source, from_it = os.pipe()
    with TemporaryDirectory(prefix="mixpeek-chromium-") as profile:
        argv = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--window-size=1200,900",
            "--no-first-run",
            "--disable-background-networking",
            "about:blank",
        ]
        # The browser reads descriptor 3 and writes descriptor 4.
        wrapped = ["bash", "-c", f'exec "$@" 3<&{to_it} 4>&{from_it}', "bash", *argv]
        process = subprocess.Popen(
            wrapped, pass_fds=(to_it, from_it), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_it)
        os.close(from_it)
        try:
            seen = Browser(sink, source)
            yield seen
            seen.close()
            process.wait(_SECONDS)
        finally:
            process.kill()
            process.wait()
            os.close(sink)
            os.close(source)
