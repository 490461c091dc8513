"""The base: what it holds, what it does not, and where it comes from."""

import json

import pytest

from images.base import BaseChoice, ensure_base
from images.base.recipe import read_recipe
from images.files import Cache
from toolchain.core.errors import ImageUnavailable
from toolchain.core.reporter import SilentReporter

from .conftest import remove, run_inside

pytestmark = pytest.mark.engine

PROBE = """
import json, os, stat, sys, shutil
from importlib.util import find_spec
privileged, writable = [], []
for folder, names, files in os.walk("/"):
    if folder == "/":
        names[:] = [name for name in names if name not in ("proc", "sys", "dev")]
    for name in files:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode) and mode & 0o6000: privileged.append(path)
        if stat.S_ISREG(mode) and mode & 0o002: writable.append(path)
import asyncio, ctypes, sqlite3, ssl, lzma, bz2, zlib, decimal, uuid
sys.path.insert(0, "/opt/mixpeek/runtime")
import engine.plugins.extractors.pipeline as pipeline
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "privileged": privileged,
    "writable": writable,
    "programs": [name for name in "gcc cc g++ clang pip pip3 make ld as".split() if shutil.which(name)],
    "modules": [name for name in ("pip", "setuptools", "ensurepip") if find_spec(name)],
    "stdlib": asyncio.__cached__ if os.path.exists(asyncio.__cached__) else None,
    "runtime": pipeline.__cached__ if os.path.exists(pipeline.__cached__) else None,
    "sandbox": sorted(os.listdir("/opt/mixpeek/runtime/sandbox")),
    "version": sys.version.split()[0],
    "prefix": sys.prefix,
    "libraries": [bool(ctypes.CDLL(name)) for name in ("libstdc++.so.6", "libgomp.so.1")],
    "own": [os.path.isdir("/opt/mixpeek/" + name) for name in ("dependencies", "pytest", "plugin", "runtime")],
}))
"""


def test_it_holds_an_interpreter_our_runtime_and_nothing_that_builds_or_raises(engine, base):
    found = json.loads(run_inside(engine, base.id, PROBE))
    assert found["user"] == [65532, 65532]
    assert found["privileged"] == []
    assert found["writable"] == []
    assert found["programs"] == []
    assert found["modules"] == []
    assert found["stdlib"]
    assert found["runtime"]
    assert set(found["sandbox"]) <= {"__init__.py", "protocol.py", "seal.py", "guest", "__pycache__"}
    assert found["version"] == base.target.python
    assert found["libraries"] == [True, True]
    assert all(found["own"])


def test_its_labels_say_where_it_comes_from(engine, base):
    labels = engine.client.api.inspect_image(base.tag)["Config"]["Labels"]
    assert labels["com.mixpeek.base.origin"] == base.origin in ("pulled", "packages")
    assert labels["com.mixpeek.base.recipe"] == base.recipe == read_recipe().digest
    assert labels["com.mixpeek.base.source"]
    assert labels["com.mixpeek.base.source-id"]


def test_it_is_found_again_at_once(engine, base, warm):
    found = ensure_base(engine, SilentReporter(), warm)
    assert (found.id, found.made) == (base.id, False)


@pytest.fixture
def pushed(engine, base, registry):
    """The distribution below our base, pushed to that registry and gone from the engine under that name."""
    reference = f"{registry}/distribution:1"
    below = base.source_id if base.origin == "packages" else base.source
    engine.client.api.tag(below, f"{registry}/distribution", "1")
    said = engine.client.api.push(reference)
    assert "error" not in said, said
    remove(engine, reference)
    return reference


def test_it_is_pulled_where_a_registry_answers(engine, base, pushed, tmp_path):
    made = ensure_base(engine, SilentReporter(), Cache(tmp_path), BaseChoice(reference=pushed))
    try:
        assert (made.origin, made.source, made.made) == ("pulled", pushed, True)
        assert made.source_id.startswith("sha256:")
        assert made.target == base.target
        # The same distribution and the same recipe: the same layers, whatever way they came.
        assert [layer.diff_id for layer in made.config.layers] == [layer.diff_id for layer in base.config.layers]
        assert run_inside(engine, made.id, "print(1)") == "1"
        remove(engine, made.tag)
        again = ensure_base(engine, SilentReporter(), Cache(tmp_path), BaseChoice(reference=pushed))
        assert again.id == made.id
    finally:
        remove(engine, made.tag)
        remove(engine, pushed)


def test_an_image_that_the_user_named_is_not_replaced_by_another(engine, registry, tmp_path):
    with pytest.raises(ImageUnavailable, match="could not be pulled") as caught:
        ensure_base(engine, SilentReporter(), Cache(tmp_path), BaseChoice(reference=f"{registry}/absent:1"))
    assert "MIXPEEK_BASE_IMAGE" in caught.value.remedy
