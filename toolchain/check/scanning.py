"""The scan as one of the checks: beside the build and the run, so that it costs no time of its own."""

from __future__ import annotations

import threading
from pathlib import Path

from toolchain.check.report import CheckResult, Source, Status, judge
from toolchain.core.errors import MixpeekError
from toolchain.core.findings import Finding, Severity
from toolchain.core.sizes import counted
from toolchain.scan import ScanOptions, ScanResult, scan


class ScanBeside:
    """A scan of a folder in a thread of its own; it takes nothing from the cache, since its result is recorded."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._result: ScanResult | None = None
        self._failure: Exception | None = None
        # A run that is interrupted does not wait for it: its workers end when nobody reads their answers.
        self._thread = threading.Thread(target=self._scan, name="scan", daemon=True)
        self._thread.start()

    def _scan(self) -> None:
        try:
            self._result = scan(self._folder, ScanOptions(packed_only=True))
        except Exception as reason:  # noqa: BLE001 - raised in a thread, it would be lost: it is told by result()
            self._failure = reason

    def result(self) -> ScanResult:
        """Wait for the scan. Raises what the scan raised."""
        self._thread.join()
        if self._result is None:
            assert self._failure is not None
            raise self._failure
        return self._result


def check_scan(beside: ScanBeside) -> tuple[CheckResult, ScanResult | None]:
    """The check ``scan``: a forbidden construct fails it, a scan that failed leaves it unknown."""
    try:
        result = beside.result()
    except MixpeekError as reason:
        finding = Finding(Severity.UNKNOWN, f"scan.{reason.id}", reason.message, reason.remedy)
        return CheckResult("scan", Status.UNKNOWN, "not scanned", Source.HOST, (finding,)), None
    count, files = len(result.active), len(result.inventory)
    detail = f"{counted(count, 'finding')} in {counted(files, 'file')}"
    return judge("scan", detail, Source.HOST, [finding.as_finding() for finding in result.findings]), result


def scan_evidence(result: ScanResult | None) -> dict[str, object] | None:
    """What a record keeps of the scan."""
    if result is None:
        return None
    return {
        "passed": result.passed,
        "rules": {"version": result.rules_version, "sha256": result.rules_digest},
        "content_sha256": result.content_digest,
        "code_sha256": result.code_digest,
        "findings": len(result.findings),
    }
