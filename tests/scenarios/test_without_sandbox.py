"""The author's own plugin in a process of the author's Python: deadlines, output limit, and nothing left running.

Fork bombs, memory hogs and their kin are tried in the sandbox only.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.verdicts import parse_envelope, plugin_test

HERE = ("--python", sys.executable, "--timeout", "20")


@pytest.fixture(autouse=True)
def leaves_nothing(plugin):
    """No file in the author's folder and no process that was started for the test."""
    yield
    assert [name for name in plugin.files() if "__pycache__" in name or ".pytest" in name] == []
    assert left_running(str(plugin.root)) == []


def left_running(word: str) -> list[str]:
    """Command lines and working directories of the processes that still hold on to the plugin."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            held = [(entry / "cmdline").read_bytes().decode(errors="replace"), str((entry / "cwd").readlink())]
        except OSError:
            continue
        if int(entry.name) != os.getpid() and any(word in text for text in held):
            found.append(held[0])
    return found


def test_a_good_plugin(plugin, capsys):
    verdict = plugin_test(capsys, plugin, "--python", sys.executable)
    assert (verdict.exit_code, verdict.rules) == (0, [])
    assert verdict.check("tests")["source"] == "claimed"


def test_a_test_that_fails(plugin, capsys):
    plugin.write("tests/test_it.py", "def test_sum():\n    assert 1 + 1 == 3\n")
    verdict = plugin_test(capsys, plugin, *HERE)
    assert "test_sum" in verdict.finding("tests.failed")["message"]
    assert verdict.exit_code == 1


def test_a_test_that_hangs(plugin, capsys):
    plugin.write("tests/test_it.py", "import time\ndef test_sleep():\n    time.sleep(600)\n")
    verdict = plugin_test(capsys, plugin, *HERE, "--timeout", "10")
    assert "test_sleep" in verdict.finding("run.timeout")["message"]


@pytest.mark.parametrize("leave", ["os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"])
def test_a_test_that_ends_the_interpreter(plugin, capsys, leave):
    plugin.write("tests/test_it.py", f"import os\ndef test_exit():\n    {leave}\n")
    verdict = plugin_test(capsys, plugin, *HERE)
    assert verdict.rules in (["run.exited"], ["run.signal"])
    assert verdict.exit_code == 1


def test_a_test_that_prints_a_gigabyte(plugin, capsys):
    plugin.write(
        "manifest.py",
        "import os\nfor _ in range(1 << 14): os.write(1, b'x' * (1 << 16))\n"
        + (plugin.root / "manifest.py").read_text(),
    )
    assert "run.output-limit" in plugin_test(capsys, plugin, *HERE).rules


def test_a_daemon_is_ended_with_its_stage(plugin, capsys):
    plugin.write(
        "tests/test_it.py",
        """
        import os, time
        def test_daemon():
            if not os.fork():
                os.setsid()
                if os.fork():
                    os._exit(0)
                time.sleep(60)
                os._exit(0)
        """,
    )
    assert plugin_test(capsys, plugin, "--python", sys.executable).rules == []


def test_build_steps_that_raises(plugin, capsys):
    plugin.replace("pipeline.py", "    step = ", "    raise LookupError('no such model')\n    step = ")
    assert "no such model" in plugin_test(capsys, plugin, *HERE).finding("pipeline.build-steps-raised")["message"]


def test_a_folder_that_is_called_otherwise(plugin, capsys):
    renamed = plugin.root.rename(plugin.root.with_name("some-other [name]::x"))
    plugin.write("kept", "")  # for the fixture
    renamed_tests = renamed / "tests/test_it.py"
    renamed_tests.write_text("from ..manifest import metadata\ndef test_it():\n    assert metadata\n")
    verdict = plugin_test(capsys, renamed, "--python", sys.executable)
    assert verdict.rules == [], verdict.envelope["findings"]


def test_a_python_that_does_not_exist(plugin, capsys):
    verdict = plugin_test(capsys, plugin, "--python", "/nowhere/python")
    assert verdict.exit_code in (2, 3)
    assert "/nowhere/python" in (verdict.error["where"] or "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_the_command(plugin, number):
    started = plugin.root / "started"
    plugin.write(
        "tests/test_it.py",
        f"""
        import os, time
        def test_sleep():
            os.fork() or os.setsid()
            open({str(started)!r}, "w").close()
            time.sleep(600)
        """,
    )
    code = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from toolchain.cli.main import run\nsys.exit(run(sys.argv[1:]))\n"
    )
    argv = [sys.executable, "-c", code, "plugin", "test", "--json", "--path", str(plugin.root), "--python"]
    with subprocess.Popen([*argv, sys.executable], stdout=subprocess.PIPE, text=True) as command:
        deadline = time.monotonic() + 30
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        command.send_signal(number)
        output, _ = command.communicate(timeout=15)
    if number != signal.SIGKILL:
        verdict = parse_envelope(output)
        assert (verdict.exit_code, command.returncode, verdict.error["id"]) == (3, 3, "interrupted")
    deadline = time.monotonic() + 5
    while left_running(str(plugin.root)) and time.monotonic() < deadline:
        time.sleep(0.05)
