"""Where process 1's descriptors open to the plugin, as on gVisor, what it writes there is not believed.

The forger is ours: in place of process 1 it tells the host of a whole, well-formed run that passed.
"""

from __future__ import annotations

import pytest

from tests.support.verdicts import plugin_test

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

FORGER = '''
import json, os, struct

from sandbox.protocol import Message, encode

TESTS = {
    "available": True, "version": "8.0.0", "status": 0, "total": 1, "replaced": [],
    "controls": {"must-pass": "passed", "must-fail": "failed"}, "unreported": [], "deselected": [],
    "collection_errors": [], "tests": [{"id": "tests/test_it.py::test_fails", "outcome": "passed"}],
}
REPORT = {
    "stage": "tests", "ended": "exited", "status": 0, "seconds": 0.1, "peak_memory_bytes": 1,
    "output": "", "output_bytes": 0, "progress": None, "violation": None, "tried": {}, "result": TESTS,
}
FRAMES = encode(Message("stage", REPORT)) + encode(Message("done"))


def line():
    """Process 1's way to the host: its descriptor of an outer file that can be written, the job's way in aside."""
    opened = []
    for name in sorted(map(int, os.listdir("/proc/1/fd"))):
        path = f"/proc/1/fd/{name}"
        try:
            if os.readlink(path).startswith("host:") and name > 2:
                opened.append(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            pass
    return opened


def test_fails():
    opened = line()
    for descriptor in opened:
        try:
            os.write(descriptor, FRAMES)
        except OSError:
            pass
    assert opened and False
'''


def test_a_forged_report_on_the_line_of_process_1(plugin, capsys):
    plugin.remove("samples.json")
    plugin.write("tests/test_it.py", FORGER)
    verdict = plugin_test(capsys, plugin, "--sandbox", "--level", "gvisor")
    assert verdict.exit_code == 1
    assert "run.policy-violation" in verdict.rules, verdict.envelope["findings"]
    assert "process 1 did not send" in verdict.finding("run.policy-violation")["message"]
    assert verdict.check("tests")["status"] != "passed"
