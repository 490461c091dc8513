"""No file of a scanned tree is imported, unpickled or executed: each route there is would leave a mark."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archives import tarred, zipped


class _Marks:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


def hostile(mark: Path) -> dict[str, bytes]:
    """One file for each way in which a careless reader runs something."""
    touch = f"open({str(mark)!r}, 'w').close()\n".encode()
    yaml = f"!!python/object/apply:os.system ['touch {mark}']\n".encode()
    pickled = pickle.dumps(_Marks(mark))
    names = [
        *("__init__", "manifest", "pipeline", "setup", "conftest", "sitecustomize", "usercustomize", "__main__"),
        *("json", "ast", "bandit", "pickle", "encodings", "warnings", "plugin", "tests/conftest", "tests/test_a"),
    ]
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(69) + b"\n"
    cell = {"cell_type": "code", "source": [touch.decode()], "metadata": {}, "outputs": []}
    return {
        **{f"{name}.py": touch for name in names},
        "a.pth": b"import os; " + touch,
        "a.pkl": pickled,
        "a.npy": b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + pickled,
        "a.yaml": yaml,
        "a.ipynb": json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode(),
        "model.pt": zipped({"archive/data.pkl": pickled, "archive/version": b"3\n"}),
        "inner.zip": zipped({"__main__.py": touch, "setup.py": touch}),
        "setup.cfg": b"[metadata]\nname = attr: plugin.x\n",
        ".bandit": b"[bandit]\nplugins = plugin\n",
        ".mixpeekignore": b"*\n",
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "plugin"\nbackend-path = ["."]\n',
    }


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "archive"])
def test_nothing_of_a_scanned_tree_runs(tmp_path: Path, packed: bool) -> None:
    mark = tmp_path / "mark"
    files = hostile(mark)
    plugin = tmp_path / "plugin"
    for name, data in files.items():
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / name).write_bytes(data)
    target = plugin
    if packed:
        target = tmp_path / "plugin.tar.gz"
        target.write_bytes(tarred(*((f"plugin/{name}", data) for name, data in files.items())))
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    # In the plugin's own folder, where a module of the plugin's would be found first.
    environment = {
        **os.environ,
        "MIXPEEK_CACHE_DIR": str(tmp_path / "c"),
        "MIXPEEK_STATE_DIR": str(tmp_path / "s"),
    }
    program = str(Path(sys.executable).with_name("mixpeek"))
    for options in ([], ["--format", "html"], ["--format", "sarif"]):
        done = subprocess.run(
            [program, "plugin", "scan", "--strict", *options, str(target)],
            cwd=plugin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
    assert not mark.exists()
    after = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} - set(before)
    assert {path.parts[0] for path in after} <= {"c", "s"}


def test_the_routes_do_leave_a_mark_when_taken(tmp_path: Path) -> None:
    """The control."""
    mark = tmp_path / "mark"
    files = hostile(mark)
    pickle.loads(files["a.pkl"])
    assert mark.exists()
    mark.unlink()
    exec(files["setup.py"])
    assert mark.exists()
