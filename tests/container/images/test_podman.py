"""The same builds on podman: other store, other archive, the same image."""

import pytest

from images.base import ensure_base
from images.compile_container import Chunk
from images.fragments import Source
from toolchain.core.containers import connect, options_from_environment
from toolchain.core.reporter import SilentReporter

from .conftest import compiled, left_behind, phases, run_inside

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def podman():
    connected = connect(options_from_environment(preferred="podman"))
    assert connected.kind == "podman", connected.found
    yield connected
    connected.close()


def test_the_image_is_the_same_and_a_change_costs_one_partial_load(engine, podman, base, warm, plugin):
    expected = plugin.build(warm, with_tests=True)
    other = ensure_base(podman, SilentReporter(), warm)
    assert other.id == base.id
    plugin.engine = podman
    built = plugin.build(warm, with_tests=True)
    assert built.id == expected.id
    program = (
        "import sys; sys.path.insert(0, '/opt/mixpeek/dependencies'); import numpy; print(numpy.arange(3).sum())"
    )
    assert run_inside(podman, built.id, program) == "3"
    assert plugin.build(warm, with_tests=True).route == "present"
    plugin.write("manifest.py", "x = 7\n")
    changed = plugin.build(warm, with_tests=True)
    assert changed.route == "partial"
    assert all(phases(changed)[name].cached for name in ("resolve", "fetch", "dependencies"))


def test_bytecode_is_the_same_from_either_engine(engine, podman, base, warm, tmp_path):
    text = b"x = {'a', 'b'}\ndef f(y='z'): return y in {'p', 'q'}\n" * 50
    (tmp_path / "source").write_bytes(text)
    chunk = Chunk(tmp_path / "source", (Source("opt/mixpeek/dependencies/x.py", 0, len(text)),))
    on_podman = ensure_base(podman, SilentReporter(), warm)
    first = compiled(engine, base, [chunk], warm)
    assert first == compiled(podman, on_podman, [chunk], warm)
    assert left_behind(podman) == []
