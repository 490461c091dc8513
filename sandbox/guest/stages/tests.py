"""Runs the plugin's tests with the real pytest and reports what became of each.

The tests share a process with the plugin, so their outcome can only be a claim. To notice a plugin that bends
pytest (hooks in ``conftest.py``, options in its configuration, patched functions), two control tests of ours go
through the same machinery under unpredictable names, one that must pass and one that must fail; what a test raises
is seen before the plugin's hooks see it; and pytest's own functions are compared before and after. The host holds
all that, and the tests it can read in the source, against what is reported.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

from sandbox.guest.stages import StageContext

_TESTS_LIMIT = 10_000  # at some 500 bytes each, well below the protocol's limit
_NAMES_LIMIT = 1_000


def _placed(test: dict[str, Any], root: Path) -> dict[str, Any]:
    """The test with the line of its fault where that lies in the plugin, else with its own alone."""
    file = Path(test.pop("fault_file", ""))
    if file.is_relative_to(root):
        return {**test, "fault_file": file.relative_to(root).as_posix()}
    test.pop("fault_line", None)
    return test


def run(context: StageContext) -> tuple[dict[str, Any], bytes]:
    """The outcome of every test, of the controls, and pytest's own exit status."""
    # Ahead of everything: a plugin's dependencies cannot replace the pytest that judges it.
    sys.path[:0] = context.pytest_folders
    try:
        import pytest
    except ImportError:
        return {"available": False}, b""

    from sandbox.guest.stages.recorder import Integrity, Recorder

    recorder, integrity = Recorder(context), Integrity(context.root)
    arguments = [
        str(context.root / "tests"),
        f"--rootdir={context.root}",
        "-p",
        "no:cacheprovider",  # leaves no folder in the author's tree
        "-q",
        "--tb=short",
        "--color=no",
    ]
    # Absolute imports of the plugin's tests (`from tests.helpers import x`) find the plugin's folder; its own
    # package name is found by PluginFinder.
    sys.path.append(str(context.root))
    status = int(pytest.main(arguments, plugins=[recorder]))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    tests = [_placed(test, context.root) for test in recorder.tests()]
    return {
        "available": True,
        "version": pytest.__version__,
        "status": status,
        "controls": recorder.controls,
        "replaced": integrity.replaced()[:50],
        "tests": tests[:_TESTS_LIMIT],
        "total": len(tests),
        "unreported": recorder.unreported()[:_NAMES_LIMIT],
        "deselected": recorder.deselected[:_NAMES_LIMIT],
        "collection_errors": recorder.collection_errors[:50],
    }, b""
