"""Runs that end before their time: the engine dies, the user interrupts, the command itself is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker.errors
import pytest

from sandbox.conversation import Job
from sandbox.leftovers import remove_leftovers
from sandbox.outcome import Ending
from sandbox.policy import Policy
from sandbox.prestart import Prestart
from sandbox.session import Session
from tests.support.images import plugin_image
from tests.support.leftovers import eventually, sandboxes
from tests.support.plugins import NAME, Plugin
from tests.support.verdicts import Verdict, parse_envelope, plugin_test
from toolchain.cli import main as cli
from toolchain.core.containers import (
    ConnectOptions,
    ContainerEngine,
    connect,
    running_private_engines,
    stop_private_engine,
)
from toolchain.core.errors import EngineRefused
from toolchain.core.image_layout import plugin_directory

pytestmark = pytest.mark.engine

# As a shell would start it: a suite that runs in the background has SIGINT ignored, which children inherit.
_COMMAND = (
    "import signal, sys\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from toolchain.cli.main import run\n"
    "sys.exit(run(sys.argv[1:]))\n"
)


@dataclass
class Running:
    """A command under way."""

    process: subprocess.Popen[str]

    def verdict(self, seconds: float = 30) -> Verdict:
        """What it prints in the end, held against its exit code."""
        output, talk = self.process.communicate(timeout=seconds)
        assert output, talk
        verdict = parse_envelope(output)
        assert verdict.exit_code == self.process.returncode
        return verdict


@contextmanager
def running(plugin: Plugin, *options: str, **variables: str) -> Iterator[Running]:
    argv = [sys.executable, "-c", _COMMAND, "plugin", "test", "--json", "--path", str(plugin.root), *options]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def sleeping(plugin: Plugin) -> Plugin:
    """A plugin whose test is still running when the test does its mischief."""
    plugin.write("tests/test_it.py", "import time\ndef test_sleep():\n    time.sleep(600)\n")
    return plugin


def asleep(engine: ContainerEngine, process: int) -> bool:
    """Whether a sandbox of a process runs a stage, beside supervisor and worker; half a second later it sleeps."""
    for container in sandboxes(engine, process):
        with suppress(docker.errors.APIError):  # it is not started yet
            if len(engine.client.api.top(container)["Processes"]) >= 3:
                time.sleep(0.5)
                return True
    return False


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_command(sleeping, own_engine, number):
    with running(sleeping, "--sandbox") as command:
        pid = command.process.pid
        assert eventually(lambda: asleep(own_engine, pid), 30)
        command.process.send_signal(number)
        verdict = command.verdict()
        assert (verdict.exit_code, verdict.error["id"]) == (3, "interrupted")
        assert sandboxes(own_engine, pid) == set()


@pytest.mark.usefixtures("leaves_nothing")
def test_a_signal_while_the_container_is_still_starting(sleeping, own_engine):
    with running(sleeping, "--sandbox") as command:
        pid = command.process.pid
        assert eventually(lambda: sandboxes(own_engine, pid) != set(), 30)
        command.process.send_signal(signal.SIGINT)
        verdict = command.verdict()
        assert (verdict.exit_code, verdict.error["id"]) == (3, "interrupted")
        assert sandboxes(own_engine, pid) == set()


class TestPrestart:
    def test_one_that_waited_for_its_job_does_it(self, own_engine, image):
        with Prestart(Session(own_engine, image, Policy())) as prestart:
            assert prestart.session().wait_ready(60)
            assert prestart.session().wait_ready(0)  # it says so once, and stays ready
            outcome = prestart.session().run(Job(NAME, plugin_directory(NAME), ("describe", "tests")))
        assert outcome.ending is Ending.COMPLETED, outcome.reason
        assert [report.status for report in outcome.transcript.stages.values()] == [0, 0]

    def test_one_that_is_killed_while_it_warms_up_is_not_ready(self, own_engine, image):
        with Session(own_engine, image, Policy()) as session:
            (container,) = sandboxes(own_engine)
            own_engine.client.api.kill(container)
            assert not session.wait_ready(60)

    def test_one_that_nobody_takes_is_removed(self, own_engine, image):
        with Prestart(Session(own_engine, image, Policy())):
            assert eventually(lambda: sandboxes(own_engine) != set(), 30)
        assert sandboxes(own_engine) == set()

    def test_one_that_fails_says_so_to_whoever_asks(self, own_engine):
        absent = Session(own_engine, "sha256:" + "0" * 64, Policy())
        refused = pytest.raises(EngineRefused, match="create the sandbox container")
        with Prestart(absent) as prestart, refused:
            prestart.session()
        assert sandboxes(own_engine) == set()

    def test_one_that_fails_harms_nobody_who_does_not_ask(self, own_engine):
        with Prestart(Session(own_engine, "sha256:" + "0" * 64, Policy())):
            pass
        assert sandboxes(own_engine) == set()


@pytest.fixture
def image(own_engine, plugin) -> str:
    """The image of the plugin; only its code differs from others that the suite makes."""
    return plugin_image(own_engine, plugin)


@pytest.mark.usefixtures("leaves_nothing")
def test_a_container_that_somebody_else_removes_says_nothing_about_the_plugin(sleeping, own_engine):
    with running(sleeping, "--sandbox") as command:
        pid = command.process.pid
        assert eventually(lambda: asleep(own_engine, pid), 30)
        (container,) = sandboxes(own_engine, pid)
        own_engine.client.api.remove_container(container, force=True)
        verdict = command.verdict()
    # The engine may still know of it when it is asked how the container ended, or not: neither blames the plugin.
    assert verdict.exit_code == 3
    assert {finding["severity"] for finding in verdict.envelope["findings"]} <= {"unknown"}


@pytest.mark.usefixtures("leaves_nothing")
def test_two_runs_of_one_plugin_at_once(plugin):
    with running(plugin, "--sandbox") as one, running(plugin, "--sandbox") as other:
        assert [one.verdict(60).exit_code, other.verdict(60).exit_code] == [0, 0]


def test_a_command_that_is_killed_leaves_a_container_that_ends_by_itself(sleeping, own_engine, capsys):
    with running(sleeping, "--sandbox") as command:
        pid = command.process.pid
        assert eventually(lambda: asleep(own_engine, pid), 30)
        command.process.kill()
        command.process.wait()

    def ended() -> bool:
        states = [own_engine.client.api.inspect_container(name)["State"] for name in sandboxes(own_engine, pid)]
        return [state["Running"] for state in states] == [False]

    assert eventually(ended, 5)
    (left,) = sandboxes(own_engine, pid)
    capsys.readouterr()
    assert cli.run(["sandbox", "clean", "--json"]) == 0
    removed = parse_envelope(capsys.readouterr().out).envelope["data"]["leftovers"]
    told = {one["id"]: one for one in removed}[left]
    assert (told["process"], told["problem"]) == (str(pid), "")
    assert told["name"].startswith("mixpeek-sandbox-")
    assert "Exited" in told["state"]
    assert sandboxes(own_engine, pid) == set()


def test_the_container_of_a_living_command_is_no_leftover(sleeping, own_engine):
    with running(sleeping, "--sandbox") as command:
        pid = command.process.pid
        assert eventually(lambda: sandboxes(own_engine, pid) != set(), 30)
        assert sandboxes(own_engine, pid).isdisjoint(one.id for one in remove_leftovers(own_engine))
        command.process.send_signal(signal.SIGTERM)
        command.verdict()


def test_no_engine(plugin, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    verdict = plugin_test(capsys, plugin, "--sandbox")
    assert (verdict.exit_code, verdict.error["id"]) == (3, "engine-unavailable")
    assert "nobody.sock" in (verdict.error["where"] or "") + verdict.error["message"]
    assert verdict.error["remedy"]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[ContainerEngine, int]]:
    """A dockerd of our own beside the machine's, with its process id: it will be killed."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "XDG_"))}
    state = {
        "HOME": str(tmp_path),
        "MIXPEEK_STATE_DIR": str(tmp_path / "s"),
        "XDG_RUNTIME_DIR": str(tmp_path / "r"),
    }
    (tmp_path / "r").mkdir(mode=0o700)
    nowhere = tmp_path / "nowhere.sock"
    options = ConnectOptions(
        environment=plain | state, docker_socket=nowhere, podman_socket=nowhere, preferred="docker"
    )
    engine = connect(options)
    (found,) = running_private_engines(options)
    yield engine, found.pid
    engine.close()
    stop_private_engine(options)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_dies_while_the_plugin_runs(sleeping, mortal):
    engine, pid = mortal
    with running(sleeping, "--sandbox", DOCKER_HOST=engine.address) as command:
        assert eventually(lambda: asleep(engine, command.process.pid), 90)
        os.killpg(pid, signal.SIGKILL)
        began = time.monotonic()
        verdict = command.verdict()
        assert time.monotonic() - began < 60
    assert (verdict.exit_code, verdict.error["id"]) == (3, "engine-unavailable")
    assert "mixpeek doctor" in verdict.error["remedy"]
