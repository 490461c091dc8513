"""The scan as one call: read, tell apart, judge, merge."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from toolchain import __version__
from toolchain.core.digests import sha256_json
from toolchain.core.errors import InternalFault
from toolchain.scan.cache import Verdict, cached, remember
from toolchain.scan.gathering import Gathered, gather
from toolchain.scan.model import ScanOptions, ScanResult
from toolchain.scan.policy import policy_digest


def scan(target: Path, options: ScanOptions | None = None) -> ScanResult:
    """Judge a plugin's folder, an archive (``.tar.gz``, ``.zip``) or one file.

    Nothing of it is imported, unpickled or executed, and an archive is never unpacked to disk. What cannot be
    judged is a finding. Raises ``UsageFault`` when there is nothing at ``target`` or the baseline cannot be used.
    """
    started = time.monotonic()
    options = options or ScanOptions()
    gathered = gather(target, options)
    rules = policy_digest()
    content = gathered.content_digest
    key = sha256_json([content, rules, _tools(options), options.strict])
    verdict = cached(options.cache, key)
    from_cache = verdict is not None
    if verdict is None:
        verdict = _judge(gathered, options)
        remember(options.cache, key, verdict)
    findings = list(verdict.findings)
    code = gathered.code_digest
    if options.baseline is not None:
        from toolchain.scan.baseline import apply_baseline

        findings = apply_baseline(findings, code, options.baseline, target)
    kinds = [item.kind for item in gathered.inventory]
    lines = sum(file.data.count(b"\n") for file in gathered.kept.values() if file.kind == "python")
    return ScanResult(
        findings=tuple(findings),
        inventory=tuple(gathered.inventory),
        rules_digest=rules,
        rules_version=verdict.rules_version,
        content_digest=content,
        code_digest=code,
        strict=options.strict,
        fail_on=options.fail_on or ("warned" if options.strict else "forbidden"),
        declared=verdict.declared,
        left_out=tuple(sorted(gathered.reading.left_out)),
        stats={
            "files": len(kinds),
            "python_files": kinds.count("python"),
            "lines": lines,
            "seconds": round(time.monotonic() - started, 3),
            "cached": from_cache,
        },
    )


def _judge(gathered: Gathered, options: ScanOptions) -> Verdict:
    # Imported here: an unchanged plugin is answered from the cache without them.
    from toolchain.scan.declared import read_declared, top_folder
    from toolchain.scan.judging import judge
    from toolchain.scan.policy import load_policy

    declared = read_declared(gathered.kept, top_folder(gathered.kept))
    return Verdict(tuple(judge(gathered, options)), load_policy().version, declared)


def _tools(options: ScanOptions) -> list[object]:
    """Everything but content and rules that decides a verdict: no result outlives the code that found it."""
    ours = sorted(_sources(Path(__file__).parent))
    beside = _installed_bandit() if options.use_bandit else None
    return [__version__, list(sys.version_info[:3]), ours, beside, repr(options.limits)]


def _sources(folder: Path) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as listing:
        for entry in listing:
            if entry.is_dir():
                yield from _sources(Path(entry.path))
            elif entry.name.endswith(".py"):
                status = entry.stat()
                yield (entry.path, status.st_size, status.st_mtime_ns)


def _installed_bandit() -> list[object]:
    """Which bandit this is: asking for its version would read the metadata of every package, which takes longer.

    Raises ``InternalFault`` without it: half a scan must not look like a whole one.
    """
    found = find_spec("bandit")
    if found is None or found.origin is None:
        raise InternalFault(
            "bandit, which a scan runs beside its own evaluator, is not installed",
            remedy="install mixpeek with its dependencies: pip install --force-reinstall mixpeek",
        )
    return [found.origin, Path(found.origin).stat().st_mtime_ns]
