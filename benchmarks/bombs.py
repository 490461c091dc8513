"""How long bombs and floods last: ``python -m benchmarks.bombs``.

The bombs of ``tests/container/test_limits.py``, each as a plugin's test in the sandbox. Printed are the seconds of
that stage and how far they are past its deadline; the target is 2 s at most, on a quiet machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.container.test_limits import BOMBS, Bomb, plant
from tests.support.plugins import make_plugin
from toolchain.check.runner import TestRequest, test_plugin
from toolchain.core.reporter import SilentReporter

_MEMORY = 1 << 30


def main() -> None:
    """Print a line for each, and the latest of all."""
    latest = float("-inf")
    for bomb in BOMBS:
        seconds, deadline, rules = _run(bomb)
        latest = max(latest, seconds - deadline)
        past = f"{seconds - deadline:.2f} s past its deadline" if seconds > deadline else ""
        print(f"{seconds:7.2f} s  {bomb.name:42} {', '.join(rules) or 'passed':22} {past}")
    print(f"the latest ended {latest:.2f} s past its deadline")


def _run(bomb: Bomb) -> tuple[float, int, list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        plugin = make_plugin(Path(folder))
        deadline = plant(bomb, plugin)
        request = TestRequest(plugin.root, sandbox=True, stage_seconds=float(deadline), memory=_MEMORY)
        report = test_plugin(request, SilentReporter())
    rules = [finding.rule for finding in report.findings if not finding.rule.startswith("scan.")]
    return float(report.evidence["stages"]["tests"]["seconds"]), deadline, rules


if __name__ == "__main__":
    main()
