"""The HTML report in a real browser: it is drawn, asks for nothing, and runs nothing of the plugin's."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from toolchain.scan import Scanned, ScanOptions, scan
from toolchain.scan.html import to_html

_PNG = b"\x89PNG\r\n\x1a\n"
_DARK, _LIGHT = "0", "1"


class _Canary(BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """An address of this machine, and every path that somebody asked it for."""
    handler = type("Handler", (_Canary,), {"asked": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.asked
        server.shutdown()


def chromium(page: Path, profile: Path, *options: str) -> str:
    program = shutil.which("chromium")
    assert program, "chromium is missing: scripts/system-packages test"
    argv = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *options]
    # Its own services would ask the network; the report's requests are what is looked at.
    argv += ["--no-first-run", "--disable-background-networking", "--virtual-time-budget=2000", page.as_uri()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def report(tmp_path: Path, canary: tuple[str, list[str]]) -> Path:
    """The report on a plugin that puts markup everywhere a report shows something of it."""
    address, _ = canary
    markup = f"<script>document.title='owned';fetch('{address}/script')</script><img src={address}/image>"
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    quoted = markup.replace("/", "\u2215")  # a file's name has no slash
    (plugin / f"{quoted[:200]}.py").write_text(f"eval('''{markup}''')  # {markup}\n")
    (plugin / "manifest.py").write_text(
        f"metadata = {{'name': {markup!r}}}\ndependencies = [{markup!r}]\neval('1')\n"
    )
    page = tmp_path / "report.html"
    page.write_text(to_html([Scanned(markup, scan(plugin, ScanOptions(use_bandit=False)))]), encoding="utf-8")
    return page


def test_the_browser_would_ask_and_run_if_the_page_let_it(tmp_path: Path, canary: tuple[str, list[str]]) -> None:
    """The control: without escaping and policy the same markup is noticed."""
    address, asked = canary
    page = tmp_path / "control.html"
    page.write_text(f"<title>x</title><img src={address}/image><script>document.title='owned'</script>")
    shown = chromium(page, tmp_path / "profile", "--dump-dom")
    assert "<title>owned</title>" in shown
    assert "/image" in asked


def test_the_report_asks_for_nothing_and_runs_nothing(
    report: Path, tmp_path: Path, canary: tuple[str, list[str]]
) -> None:
    shown = chromium(report, tmp_path / "profile", "--dump-dom")
    assert canary[1] == []
    assert "owned</title>" not in shown
    assert "<img" not in shown
    assert "<script" not in shown
    assert shown.count("<details") >= 2
    assert "&lt;script&gt;" in shown


def test_it_is_drawn_in_light_and_dark(report: Path, tmp_path: Path) -> None:
    pictures = []
    for number, scheme in enumerate((_LIGHT, _DARK)):
        picture = tmp_path / f"{number}.png"
        options = [
            f"--screenshot={picture}",
            "--window-size=1200,2000",
            f"--blink-settings=preferredColorScheme={scheme}",
        ]
        chromium(report, tmp_path / f"profile-{number}", *options)
        pictures.append(picture.read_bytes())
    assert all(picture.startswith(_PNG) and len(picture) > 20_000 for picture in pictures)
    assert pictures[0] != pictures[1]
