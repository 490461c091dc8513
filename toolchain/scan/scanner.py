# data tables
# ruff: noqa: E501
"""The scan as one call: read, classify, evaluate, judge, merge."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolchain import __version__
from toolchain.core.digests import sha256_json
from toolchain.scan.bandit import BanditHit, bandit_hits
from toolchain.scan.baseline import apply_baseline
from toolchain.scan.cache import cached, remember
from toolchain.scan.content_rules import content_problems, notebook_source
from toolchain.scan.contents import Contents, Problem, classify, item, read_contents
from toolchain.scan.evaluate.judge import NOT_GIVEN
from toolchain.scan.model import CLASSES, Item, ScanFinding, ScanOptions, ScanResult
from toolchain.scan.policy import Policy, load_policy
from toolchain.scan.pool import Sources, judge_sources

_LEVELS = {"forbidden": 0, "warned": 1}
_CONTENT_WARNINGS = frozenset(
    {"text.secret", "text.long-line", "text.invisible", "file.native-source", "file.shell-script"}
)


def scan(target: Path, options: ScanOptions | None = None) -> ScanResult:
    """Judge a plugin's folder, an archive (``.tar.gz``, ``.zip``) or one file.

    Nothing of it is imported, unpickled or executed, and an archive is never unpacked to disk. What cannot be judged
    is a finding. Raises ``UsageFault`` when there is nothing at ``target``.
    """
    started = time.monotonic()
    options = options or ScanOptions()
    policy = load_policy()
    contents = read_contents(target, options.limits)
    kinds = {name: classify(name, data) for name, data in contents.files.items()}
    inventory = tuple(item(name, contents.files[name], kinds[name]) for name in sorted(contents.files))
    digest = sha256_json(
        [[line.name, line.digest] for line in inventory] + [[p.rule, p.file] for p in contents.problems]
    )
    key = sha256_json([digest, policy.digest, __version__, options.strict, options.use_bandit, _engine_digest()])
    findings = cached(options.cache, key)
    from_cache = findings is not None
    if findings is None:
        findings = _find(target, contents, kinds, policy, options)
        remember(options.cache, key, findings)
    findings = apply_baseline(findings, inventory, options.baseline)
    stats = {
        "files": len(inventory),
        "python_files": sum(kind == "python" for kind in kinds.values()),
        "lines": sum(data.count(b"\n") for name, data in contents.files.items() if kinds[name] == "python"),
        "seconds": round(time.monotonic() - started, 3),
        "cached": from_cache,
    }
    return ScanResult(tuple(findings), inventory, policy.digest, policy.version, digest, options.strict, stats)


def _engine_digest() -> str:
    """The scanner's own sources: a cache must not outlive the code that filled it."""
    folder = Path(__file__).parent
    return sha256_json(
        [[str(p.name), p.stat().st_size, p.stat().st_mtime_ns] for p in sorted(folder.rglob("*.py"))]
    )


def _find(
    target: Path, contents: Contents, kinds: dict[str, str], policy: Policy, options: ScanOptions
) -> list[ScanFinding]:
    sources, found = _sources(contents, kinds)
    roots = (
        (target.resolve().name,)
        if target.is_dir()
        else tuple({name.partition("/")[0] for name in sources if "/" in name})
    )
    with ThreadPoolExecutor(1) as beside:
        hits = beside.submit(bandit_hits, sources, options.limits) if options.use_bandit else None
        answers = judge_sources(Sources(sources, roots, options.workers), options.limits)
        for answer in answers:
            found += _from_answer(answer, policy, options)
        for name, data in contents.files.items():
            problems = content_problems(name, kinds[name], data, policy, options.limits.line_length)
            found += [_from_problem(problem, line) for problem, line in problems]
        found += [_from_problem(problem, 1) for problem in contents.problems]
        merged = _merge(found, hits.result() if hits is not None else [], options)
    return [replace(f, source=_line_of(contents, f)) for f in merged]


def _sources(contents: Contents, kinds: dict[str, str]) -> tuple[dict[str, bytes], list[ScanFinding]]:
    sources: dict[str, bytes] = {}
    found: list[ScanFinding] = []
    for name, data in contents.files.items():
        if kinds[name] == "python":
            sources[name] = data
        elif kinds[name] == "notebook":
            try:
                sources[name] = notebook_source(data)
            except (ValueError, KeyError, TypeError, AttributeError):
                found.append(_from_problem(Problem("file.unparsed", "a notebook that cannot be read", name), 1))
    return sources, found


def _from_answer(answer: dict[str, Any], policy: Policy, options: ScanOptions) -> Iterable[ScanFinding]:
    for rule_id, name, line, column, trail, note in answer["reached"]:
        rule = policy.rules[rule_id]
        level = rule.level(strict=options.strict)
        if note == NOT_GIVEN and level == "forbidden" and not options.strict:
            level = "warned"  # safe since torch 2.6, and the platform allows it; older releases unpickle
        if level == "allowed":
            continue
        what = f"{name} ({CLASSES.get(rule.power, rule.power)})" + (f": {note}" if note else "")
        yield ScanFinding(
            rule.id, rule.power, level, name, what, rule.remedy, answer["file"], line, column, tuple(trail)
        )
    if answer["problem"] is not None:
        rule_id, message, line = answer["problem"]
        if rule_id == "file.unparsed" and not answer["file"].endswith((".py", ".pyw", ".pyi", ".ipynb")):
            return  # text that only looked like Python cannot be run as such
        yield _from_problem(Problem(rule_id, message, answer["file"]), line)


def _from_problem(problem: Problem, line: int) -> ScanFinding:
    level = "warned" if problem.rule in _CONTENT_WARNINGS else "forbidden"
    remedy = "remove it, or ship what it holds in a format that can be judged"
    return ScanFinding(
        problem.rule, problem.power, level, problem.rule, problem.message, remedy, problem.file, line
    )


def _merge(found: list[ScanFinding], hits: list[BanditHit], options: ScanOptions) -> list[ScanFinding]:
    """One construct is one finding: bandit's hit joins ours of the same class on the same line."""
    places: dict[tuple[str, int, str], int] = {}
    merged = sorted(
        dict.fromkeys(found), key=lambda f: (f.file, f.line, f.column, _LEVELS.get(f.level, 2), f.rule)
    )
    for position, finding in enumerate(merged):
        places.setdefault((finding.file, finding.line, finding.power), position)
    for hit in hits:
        near = [
            places[key] for line in range(hit.line, hit.last + 1) if (key := (hit.file, line, hit.power)) in places
        ]
        if near:
            merged[near[0]] = replace(merged[near[0]], tools=("mixpeek", "bandit"))
        elif hit.failure:
            merged.append(_from_problem(Problem("bandit.failed", hit.message, hit.file), hit.line))
        elif options.strict:
            remedy = "look at this line: bandit names it, our evaluator does not"
            merged.append(
                ScanFinding(
                    f"bandit.{hit.test}",
                    hit.power,
                    "warned",
                    hit.test,
                    hit.message,
                    remedy,
                    hit.file,
                    hit.line,
                    tools=("bandit",),
                )
            )
    return merged


def _line_of(contents: Contents, finding: ScanFinding) -> str:
    data = contents.files.get(finding.file, b"")
    lines = data.split(b"\n", finding.line)
    return lines[finding.line - 1][:300].decode("utf-8", "replace").rstrip() if finding.line <= len(lines) else ""


__all__ = ["Item", "scan"]
