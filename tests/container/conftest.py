"""What the container tests share: proof that a run leaves nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.leftovers import forgotten_images, sandboxes
from tests.support.plugins import NAME, Plugin, make_plugin
from toolchain.check.runner import TestRequest, test_plugin
from toolchain.core.containers import ContainerEngine, connect, options_from_environment
from toolchain.core.reporter import SilentReporter


@pytest.fixture(scope="session")
def own_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerEngine]:
    """The engine that the commands find, started if need be; the spoiled plugin's image goes at the end."""
    engine = connect(options_from_environment())
    # Once for all: what making base and dependencies costs and leaves is no test's doing.
    test_plugin(TestRequest(make_plugin(tmp_path_factory.mktemp("warm")).root, sandbox=True), SilentReporter())
    yield engine
    with suppress(Exception):
        engine.client.images.remove(f"mixpeek/{NAME}:cpu-tests", force=True)
    engine.close()


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """A valid plugin for the test to spoil."""
    return make_plugin(tmp_path)


@pytest.fixture
def leaves_nothing(
    own_engine: ContainerEngine, plugin: Plugin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail the test that leaves a container, a forgotten image, a temporary file or a file in the plugin."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    images = forgotten_images(own_engine)
    yield
    assert sandboxes(own_engine) == set()
    assert forgotten_images(own_engine) - images == set()
    assert list(temporary.iterdir()) == []
    assert [name for name in plugin.files() if "__pycache__" in name or ".pytest" in name] == []
