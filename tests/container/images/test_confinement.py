"""The container that compiles reaches nothing, seen from inside and from outside."""

import json
import struct
import threading
import time

import pytest

from images import build_container
from images import compile_container as subject
from images.compile_container import Chunk
from images.fragments import Source
from toolchain.core.errors import EngineRefused

from .conftest import build_containers, compiled, left_behind

pytestmark = pytest.mark.engine

INSPECTED = """
import json, os, socket, sys
facts = {"user": os.getuid(), "interfaces": sorted(os.listdir("/sys/class/net"))}
facts["status"] = dict(line.strip().split(":\\t", 1) for line in open("/proc/self/status"))
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
    facts["network"] = "reached"
except OSError as reason:
    facts["network"] = type(reason).__name__ + " " + str(reason)
data = json.dumps(facts).encode()
open(sys.argv[2], "wb").write(len(data).to_bytes(4, "little") + data)
"""


def chunk(tmp_path, text):
    path = tmp_path / "sources"
    path.write_bytes(text)
    return Chunk(path, (Source("opt/mixpeek/dependencies/x.py", 0, len(text)),))


def test_from_inside_there_is_no_network_no_capability_and_no_root(engine, base, warm, tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "PROGRAM", INSPECTED)
    facts = json.loads(compiled(engine, base, [chunk(tmp_path, b"x = 1")], warm)[0])
    assert facts["user"] == 65532
    assert facts["interfaces"] in ([], ["lo"]) or "eth0" not in facts["interfaces"]
    assert "reached" not in facts["network"]
    assert int(facts["status"]["CapEff"], 16) == int(facts["status"]["CapBnd"], 16) == 0
    assert facts["status"]["NoNewPrivs"] == "1"


def test_from_outside_the_engine_says_the_same(engine, base, warm, tmp_path, monkeypatch):
    monkeypatch.setattr(subject, "PROGRAM", "import time; time.sleep(3); raise SystemExit(7)")
    seen = []

    def look():
        while not seen:
            seen.extend(engine.client.api.inspect_container(found["Id"]) for found in build_containers(engine))
            time.sleep(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    with pytest.raises(EngineRefused, match="exit 7"):
        compiled(engine, base, [chunk(tmp_path, b"x = 1")], warm)
    thread.join()
    host, config = seen[0]["HostConfig"], seen[0]["Config"]
    assert host["NetworkMode"] == "none"
    assert config["NetworkDisabled"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert not host["Binds"]
    assert not host["Privileged"]
    assert config["User"] == "65532:65532"
    assert left_behind(engine) == []


def test_compiling_twice_gives_the_same_bytes_and_executes_nothing(engine, base, warm, tmp_path):
    text = b"import os\nos.abort()\nx = {'a', 'b', 'c'} | {'d'}\ndef f(y='z'): return y in {'p', 'q', 'r'}\n"
    sources = [chunk(tmp_path, text)] * 5
    first = compiled(engine, base, sources, warm)
    assert first == compiled(engine, base, sources[:5], warm)
    assert len(set(first)) == 1
    assert len(first[0]) > 100


def test_a_container_whose_builder_was_killed_is_removed_by_the_next(engine, base, warm, tmp_path):
    api = engine.client.api
    config = build_container.config(engine, subject.compiling(base), "owner-0123456789abcdef")
    left = api.create_container_from_config(config)["Id"]
    warm.folder("locks")
    (warm.root / "locks" / "owner-0123456789abcdef.lock").touch()
    compiled(engine, base, [chunk(tmp_path, b"x = 1")], warm)
    assert left not in [found["Id"] for found in build_containers(engine)]


def test_a_container_of_a_living_builder_stays(engine, base, warm, tmp_path):
    with build_container.build_container(engine, subject.compiling(base), warm) as alive:
        compiled(engine, base, [chunk(tmp_path, b"x = 1")], warm)
        assert alive in [found["Id"] for found in build_containers(engine)]
    assert left_behind(engine) == []


class Interrupting(struct.Struct):
    """Reads no number: Ctrl-C comes at that moment."""

    def unpack(self, _data):
        raise KeyboardInterrupt


def test_a_reader_that_is_interrupted_does_not_keep_the_container(engine, base, warm, tmp_path, monkeypatch):
    """An engine answers no removal while somebody reads from the container."""
    sources = [chunk(tmp_path, b"x = '" + bytes(range(48, 58)) * 100_000 + b"'\n")] * 8
    monkeypatch.setattr(subject, "_LENGTH", Interrupting("<I"))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        compiled(engine, base, sources, warm)
    assert time.monotonic() - started < 30
    assert left_behind(engine) == []


def test_a_compiler_that_was_killed_for_memory_is_no_source_without_bytecode(
    engine, base, warm, tmp_path, monkeypatch
):
    """Else the same sources would give another image on a machine with more cores."""
    work = "output.write_bytes(_compile_chunk(count, io.BytesIO(body)))"
    assert work in subject.PROGRAM
    monkeypatch.setattr(subject, "PROGRAM", subject.PROGRAM.replace(work, "os.kill(os.getpid(), signal.SIGKILL)"))
    with pytest.raises(EngineRefused, match="too little memory"):
        compiled(engine, base, [chunk(tmp_path, b"x = 1")], warm)
    assert left_behind(engine) == []
