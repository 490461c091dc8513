"""``mixpeek registry serve`` as a process: how it ends, and what it says when it cannot begin."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys

import pytest

from tests.support.peers import free_port
from toolchain.publish.keys import KeyStore


def started(folder, port, *more):
    """The process, once it takes requests, and what it said until then."""
    words = ["registry", "serve", "--data", str(folder), "--port", str(port), "--json", *more]
    command = [sys.executable, "-m", "toolchain.cli.main", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = ""
    while "serving" not in said:
        line = process.stderr.readline()
        if not line:
            pytest.fail(f"it ended: {said}{process.communicate()[0]}")
        said += line
    return process, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_server_that_is_stopped_has_passed(tmp_path, number):
    port = free_port()
    process, _ = started(tmp_path, port)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    envelope = json.loads(out)
    assert (process.returncode, envelope["verdict"], envelope["error"]) == (0, "passed", None)
    assert envelope["data"] == {"address": f"http://127.0.0.1:{port}"}
    assert err == ""


def test_it_says_how_many_keys_are_trusted(tmp_path):
    keys, publisher = KeyStore(tmp_path / "keys"), KeyStore(tmp_path / "publisher")
    publisher.generate()
    keys.trust(publisher.public_path, "publisher")
    process, said = started(tmp_path / "data", free_port(), "--trusted-keys", str(tmp_path / "keys" / "trusted"))
    process.terminate()
    process.communicate(timeout=60)
    assert "1 trusted key " in said


@pytest.mark.parametrize("host", ["127.0.0.1", "no such host", "256.1.1.1"])
def test_an_address_that_cannot_be_had_is_wrong_usage(tmp_path, host):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["registry", "serve", "--data", str(tmp_path), "--host", host, "--port", str(port), "--json"]
        command = [sys.executable, "-m", "toolchain.cli.main", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    envelope = json.loads(done.stdout)
    assert (done.returncode, envelope["error"]["id"], done.stderr) == (2, "usage", "")
    assert envelope["error"]["where"] == f"{host}:{port}"
