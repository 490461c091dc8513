"""Bombs and floods: each ends soon after its deadline at the latest, is called by its name, and leaves nothing."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import pytest

from tests.support.plugins import Plugin
from tests.support.verdicts import plugin_test

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

# Where reaching it is the point the deadline is short, elsewhere it must not be what ends a bomb.
SHORT, LONG = 5, 40
# How soon one is ended is measured by benchmarks/bombs.py; this tells a bomb that is not ended at all.
GRACE = 15
FAILED, TIMEOUT, MEMORY = ["tests.failed"], ["run.timeout"], ["run.memory"]
OUTPUT, SIGNAL, VIOLATION, PASSED = ["run.output-limit"], ["run.signal"], ["run.policy-violation"], []


@dataclass(frozen=True)
class Bomb:
    """The body of a test function, and the rules of the findings that it must end in."""

    name: str
    body: str
    rules: list[str]


BOMBS = (
    Bomb(
        "fork bomb",
        """
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        TIMEOUT,
    ),
    Bomb("fork bomb that gives up", "while True:\n    os.fork() or time.sleep(60)", FAILED),
    Bomb("thread bomb", "while True:\n    threading.Thread(target=time.sleep, args=(60,)).start()", FAILED),
    Bomb("memory hog", "hog = [bytearray(b'x') * (1 << 24) for _ in range(1 << 12)]", MEMORY),
    Bomb("disk filled by bytes", "fill('/tmp/a')", FAILED),
    Bomb("disk filled by files", "for number in range(1 << 20): open(f'/tmp/{number}', 'w').close()", FAILED),
    Bomb("disk filled by a sparse file", "open('/tmp/a', 'wb').truncate(1 << 42)\nfill('/tmp/a')", FAILED),
    Bomb("shared memory filled", "fill('/dev/shm/a')", FAILED),
    Bomb("sparse file that stays empty", "open('/tmp/a', 'wb').truncate(1 << 42)", PASSED),
    Bomb("output flood", "while True: os.write(1, bytes(1 << 16))", OUTPUT),
    Bomb("descriptors used up", "held = [os.open('/dev/null', os.O_RDONLY) for _ in range(1 << 16)]", FAILED),
    Bomb(
        "busy loop that ignores signals",
        "for number in (1, 2, 3, 10, 12, 15): signal.signal(number, signal.SIG_IGN)\nwhile True: pass",
        TIMEOUT,
    ),
    Bomb("zombies", "while True: os.fork() or os._exit(0)", FAILED),
    Bomb(
        "orphans",
        """
        try:
            while True:
                if os.fork() == 0:
                    try:
                        os.fork() or time.sleep(60)
                    finally:  # a child that came back would report as the test does
                        os._exit(0)
        except OSError:
            pass
        """,
        PASSED,
    ),
    Bomb(
        "sleeping grandchild that holds the pipes",
        "if os.fork() == 0:\n    os.fork() or time.sleep(600)\n    os._exit(0)",
        PASSED,
    ),
    Bomb("stops itself", "os.kill(os.getpid(), signal.SIGSTOP)", TIMEOUT),
    Bomb("deep recursion", "def deeper(): return deeper()\ndeeper()", FAILED),
    Bomb(
        "deep recursion into the guard page",
        "sys.setrecursionlimit(1 << 30)\nthing = []\nfor _ in range(1 << 20): thing = [thing]\nrepr(thing)",
        SIGNAL,
    ),
    Bomb("a call by another convention", "import ctypes\nctypes.CDLL(None).syscall(0x40000000 | 39)", VIOLATION),
)  # fmt: skip
BEFORE = """
import os, signal, sys, threading, time

def fill(path):
    with open(path, "r+b" if os.path.exists(path) else "wb") as file:
        while True:
            file.write(bytes(1 << 20))

"""


def plant(bomb: Bomb, plugin: Plugin) -> int:
    """Make the bomb the plugin's one test; the seconds after which it is to be ended."""
    plugin.remove("samples.json")
    plugin.write("pytest.ini", "[pytest]\naddopts = -s\n")  # pytest would collect a flood in /tmp instead
    body = textwrap.indent(textwrap.dedent(bomb.body).strip("\n"), "    ")
    plugin.write("tests/test_it.py", f"{BEFORE}def test_bomb():\n{body}\n")
    return SHORT if bomb.rules == TIMEOUT else LONG


@pytest.mark.parametrize("bomb", BOMBS, ids=[bomb.name for bomb in BOMBS])
def test_a_bomb(plugin, capsys, bomb):
    deadline = plant(bomb, plugin)
    verdict = plugin_test(capsys, plugin, "--sandbox", "--timeout", str(deadline), "--memory", "1g")
    assert verdict.rules == bomb.rules, verdict.envelope["findings"]
    # What passes here may still fail for what it tried: see test_behaviour.py.
    assert verdict.check("tests")["status"] == "passed" if not bomb.rules else verdict.exit_code == 1
    stage = verdict.envelope["data"]["evidence"]["stages"]["tests"]
    assert stage["seconds"] < deadline + GRACE
    assert verdict.check("ending")["status"] == "passed", "the container outlived its stage and ended by itself"


def test_a_thread_whose_process_seems_to_have_ended_is_found_and_ended(plugin, capsys):
    """Its first thread is gone, so that /proc calls it a zombie; the other would live on in every later stage."""
    test = """
    import ctypes, os, threading, time

    EXIT = {"x86_64": 60, "aarch64": 93}[os.uname().machine]  # of a thread, not of its process

    def test_it():
        if os.fork() == 0:
            if os.fork() == 0:
                threading.Thread(target=time.sleep, args=(600,)).start()
                ctypes.CDLL(None).syscall(EXIT, 0)
            os._exit(0)
        time.sleep(0.5)
    """
    plugin.write("tests/test_it.py", textwrap.dedent(test))
    verdict = plugin_test(capsys, plugin, "--sandbox")
    assert verdict.check("tests")["status"] == "passed", verdict.envelope["findings"]
    assert "behaviour.processes" in {finding["rule"] for finding in verdict.envelope["findings"]}
