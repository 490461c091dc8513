"""Makes a release: validate, build, pack, test and scan exactly what was packed, and sign what was found.

The archive comes first and everything else is done to its unpacked copy, so that what was checked is what is
published, whatever happens to the folder meanwhile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from images.build import BuiltImage
from images.environment import cache_directory
from images.files import Cache
from images.sbom import bill_of_materials
from toolchain.building import BuildOrder, build_plugin
from toolchain.check.reading import read_plugin
from toolchain.check.report import TestReport
from toolchain.check.runner import TestRequest, test_plugin
from toolchain.core.errors import ExitCode
from toolchain.core.findings import Finding, ordered
from toolchain.core.reporter import Reporter, SilentReporter
from toolchain.core.sealed import SealedPlace
from toolchain.publish.archive import Format, unpack_archive
from toolchain.publish.evidence import EvidenceStore
from toolchain.publish.packing import PackedPlugin, PackOrder, pack_plugin
from toolchain.publish.record.attesting import Evidence, attest
from toolchain.publish.record.reading import record_path
from toolchain.publish.record.signing import StatementSigner
from toolchain.scan import ScanOptions, scan


@dataclass(frozen=True)
class ReleaseOrder:
    """What to release: ``output`` is a folder (``None``: ``dist`` in the plugin's), ``secret`` must not be inside.

    ``state`` is the folder with the keys that seal what is kept; ``plugin_sample`` is the sample file that the
    plugin's settings name.
    """

    path: Path
    signer: StatementSigner = field(repr=False)
    state: Path
    output: Path | None = None
    form: Format = "tar.gz"
    strict: bool = False
    secret: str | None = field(default=None, repr=False)
    plugin_sample: str | None = None


@dataclass(frozen=True)
class Release:
    """An archive with its record, what of it was known before, and the plugin's description of itself."""

    packed: PackedPlugin
    record: Path
    description: str
    reused: tuple[str, ...]
    report: dict[str, Any]
    scan: dict[str, Any]


@dataclass(frozen=True)
class ReleaseOutcome:
    """A release, or what prevented it: the stage that ended it, its findings and the exit code they mean."""

    findings: tuple[Finding, ...]
    exit_code: ExitCode = ExitCode.PASSED
    ended_at: str | None = None
    release: Release | None = None


def make_release(order: ReleaseOrder, reporter: Reporter) -> ReleaseOutcome:
    """Make and sign a release. Nothing of the plugin runs outside the sandbox, and nothing is uploaded.

    Raises what building, testing and signing raise; a plugin at fault is an outcome.
    """
    started = _now()
    built = build_plugin(BuildOrder(order.path), reporter)
    if built.image is None:
        return ReleaseOutcome(built.findings, ExitCode.PLUGIN_AT_FAULT, "validate")
    packing = pack_plugin(PackOrder(order.path, order.output, order.form, order.secret), reporter)
    if packing.packed is None:
        return ReleaseOutcome(packing.findings, ExitCode.PLUGIN_AT_FAULT, "pack")
    with _unpacked(packing.packed) as copy:
        # With nothing changed this is two calls to the engine; what is tested below is this very image's code.
        again = build_plugin(BuildOrder(copy, locked=True), SilentReporter())
        if again.image is None:  # somebody edited the folder between the build and the packing
            return ReleaseOutcome(again.findings, ExitCode.PLUGIN_AT_FAULT, "validate")
        return _Making(order, packing.packed, copy, again.image, reporter).run(started)


class _Making:
    """Tests and scans the unpacked copy of an archive and signs what that gives."""

    def __init__(
        self, order: ReleaseOrder, packed: PackedPlugin, copy: Path, image: BuiltImage, reporter: Reporter
    ) -> None:
        self._order = order
        self._packed = packed
        self._copy = copy
        self._image = image
        self._reporter = reporter
        self._cache = Cache(cache_directory())
        self._store = EvidenceStore(self._sealed("evidence"))
        self._reused: list[str] = []

    def run(self, started: datetime) -> ReleaseOutcome:
        report, findings, code = self._test()
        if code is not ExitCode.PASSED:
            return ReleaseOutcome(findings, code, "test")
        scanned, more = self._scan()
        findings = ordered([*findings, *more])
        if not scanned["passed"]:
            return ReleaseOutcome(findings, ExitCode.PLUGIN_AT_FAULT, "scan")
        packed = self._packed
        with self._reporter.phase("attest") as phase:
            times = (started, _now())
            evidence = Evidence(packed, self._image, self._sbom(), report, scanned, self._request.policy, times)
            record = record_path(packed.path)
            record.write_bytes(attest(evidence, self._copy, self._order.signer))
            phase.result = f"{record.stat().st_size / 1e3:.0f} kB, five statements signed"
        release = Release(packed, record, self._description(), tuple(self._reused), report, scanned)
        return ReleaseOutcome(findings, release=release)

    def _sealed(self, kind: str) -> SealedPlace:
        """Where findings of one kind are kept, under the key that ``plugin scan`` uses for its own."""
        return SealedPlace(self._cache.root / kind, self._order.state / f"{kind}.key")

    def _description(self) -> str:
        values = read_plugin(self._copy).manifest.values
        metadata = values.get("metadata")
        told = metadata.get("description") if isinstance(metadata, dict) else values.get("description")
        return told if isinstance(told, str) else ""

    @property
    def _request(self) -> TestRequest:
        # An audit: everything that the plugin does is watched, by two sources.
        return TestRequest(self._copy, sandbox=True, trace=True, plugin_sample=self._order.plugin_sample)

    def _test(self) -> tuple[dict[str, Any], tuple[Finding, ...], ExitCode]:
        inputs = {
            "files": self._packed.reading.files_sha256,
            "lock": self._image.lock.digest,
            "image": self._image.id,
            "policy": self._request.policy.digest,
            "sample": self._order.plugin_sample,
        }
        with self._reporter.phase("test") as phase:
            known = self._store.find("test", inputs)
            if known is not None:
                self._reused.append("test")
                phase.result = "passed before: same code, lock, image and policy"
                return known, (), ExitCode.PASSED
            report = test_plugin(self._request, SilentReporter())
            phase.result = ", ".join(f"{check.name} {check.status.value}" for check in report.checks)
        data = _portable(report)
        if report.exit_code is ExitCode.PASSED:
            self._store.keep("test", inputs, data)
        return data, report.findings, report.exit_code

    def _scan(self) -> tuple[dict[str, Any], tuple[Finding, ...]]:
        """The scan reads the archive itself. It keeps its own findings, so it is always asked."""
        with self._reporter.phase("scan") as phase:
            options = ScanOptions(strict=self._order.strict, cache=self._sealed("scan"))
            result = scan(self._packed.path, options)
            if result.stats.get("cached"):
                self._reused.append("scan")
            phase.result = f"{len(result.active)} findings in {result.stats['files']} files"
        return result.to_json(), tuple(finding.as_finding() for finding in result.findings)

    def _sbom(self) -> dict[str, Any]:
        inputs = {"image": self._image.id, "lock": self._image.lock.digest}
        known = self._store.find("sbom", inputs)
        if known is not None:
            self._reused.append("sbom")
            return known
        made = bill_of_materials(self._image, self._cache, files=False)
        self._store.keep("sbom", inputs, made)
        return made


def _portable(report: TestReport) -> dict[str, Any]:
    """The report without what only this machine has: the folder that was tested."""
    data = report.to_json()
    return {**data, "plugin": {key: value for key, value in report.plugin.items() if key != "path"}}


@contextmanager
def _unpacked(packed: PackedPlugin) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mixpeek-release-") as folder:
        copy = Path(folder) / packed.name
        reading = unpack_archive(packed.path, copy)
        assert reading == packed.reading, "the archive is what was written a moment ago"
        yield copy


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)
