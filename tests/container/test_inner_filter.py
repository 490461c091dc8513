"""The inner filter itself, in a container under the engine's watched profile: it closes what it fails to watch."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.dialect import dialect_for
from sandbox.launch import container_request
from sandbox.leftovers import ownership
from sandbox.policy import Policy
from tests.support.plugins import make_plugin
from tests.support.verdicts import plugin_test
from toolchain.core.containers import ContainerEngine

pytestmark = pytest.mark.engine

# Installs the filter as the worker does, and tells what became of calls. `attempt` gives the error's name.
PRELUDE = """
import base64, ctypes, errno, json, os, socket, sys, threading
sys.path.insert(0, "/opt/mixpeek/runtime")
from sandbox.guest.trace import confined, kernel
plan = json.loads(base64.b64decode(sys.argv[1]))
numbers = plan["numbers"][kernel.machine()]
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(numbers[name], *arguments)
    return "passed" if result >= 0 else errno.errorcode[ctypes.get_errno()]

def install():
    return kernel.install(base64.b64decode(plan["program"]))
"""


@pytest.fixture(scope="module")
def inside(own_engine: ContainerEngine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Runs a script after the prelude under the default policy; what it prints as JSON."""
    make_plugin(tmp_path_factory.mktemp("image"))
    image = own_engine.client.images.get("mixpeek/spoiled_plugin:cpu-tests").id
    policy = Policy()
    assert policy.inner is not None
    argument = policy.inner.to_argument()

    def run(script: str) -> Any:
        command = ["/opt/mixpeek/python", "-I", "-S", "-B", "-c", PRELUDE + script, argument]
        request = container_request(
            policy, image=image, command=command, labels=ownership(), dialect=dialect_for(own_engine, policy)
        )
        request["HostConfig"]["LogConfig"] = {"Type": "json-file", "Config": {}}
        api, name = own_engine.client.api, f"mixpeek-filter-{secrets.token_hex(4)}"
        try:
            api.create_container_from_config(request, name=name)
            api.start(name)
            status = api.wait(name, timeout=30)["StatusCode"]
            output = api.logs(name).decode()
        finally:
            api.remove_container(name, force=True)
        assert status == 0, output
        return json.loads(output)

    return run


def test_a_listener_that_is_gone_closes_what_it_watched(inside):
    """Should process 1 die, no call that the engine's profile passes on may come through."""
    told = inside(
        """
names = [*plan["refused"], "socket", "connect", "execve"]
before = attempt("unshare", 0)
os.close(install())
print(json.dumps({"before": before, "after": {name: attempt(name, 2, 1, 0, 0, 0, 0) for name in names}}))
"""
    )
    assert told["before"] == "passed"  # the engine's profile alone would let it
    assert set(told["after"].values()) == {"ENOSYS"}


def test_threads_that_run_already_come_under_the_filter(inside):
    told = inside(
        """
go, told = threading.Event(), []
def wait():
    go.wait()
    told.append(attempt("unshare", 0))
threads = [threading.Thread(target=wait) for _ in range(4)]
[thread.start() for thread in threads]
os.close(install())
go.set()
[thread.join() for thread in threads]
print(json.dumps(told))
"""
    )
    assert told == ["ENOSYS"] * 4


def test_what_is_not_confined_is_noticed(inside):
    told = inside(
        """
filters = confined.own_filters()
without = confined.faults(os.getpid(), filters + 1)
listener = install()
with_it = confined.faults(os.getpid(), filters + 1)
os.close(listener)
closed = confined.faults(os.getpid(), filters + 1)
print(json.dumps([without, with_it, closed]))
"""
    )
    assert any("Seccomp_filters" in fault for fault in told[0])
    assert told[1] == []
    assert told[2] == ["the process holds 0 listeners"]


@pytest.mark.usefixtures("leaves_nothing")
def test_a_worker_that_cannot_be_confined_runs_nothing(plugin, capsys, monkeypatch):
    """Under the engine's closed profile the listener cannot be taken over: as on a kernel that lacks it."""
    monkeypatch.setattr(Policy, "profile", property(lambda policy: policy.seccomp))
    verdict = plugin_test(capsys, plugin, "--sandbox")
    assert verdict.exit_code == 3
    assert "could not be confined" in verdict.finding("run.unavailable")["message"]


@pytest.mark.usefixtures("leaves_nothing")
def test_the_strict_level_starts_no_program(plugin, capsys):
    plugin.write(
        "tests/test_it.py",
        "import subprocess\nimport pytest\n\n\ndef test_it():\n    with pytest.raises(PermissionError):\n"
        "        subprocess.run(['/bin/true'])\n",
    )
    verdict = plugin_test(capsys, plugin, "--sandbox", "--level", "strict")
    assert verdict.check("tests")["status"] == "passed"
    assert "refused" in verdict.finding("behaviour.execution")["message"]
