"""From files to findings: what the evaluator, the inspection and bandit say, under one policy."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from toolchain.scan.bandit import BanditFailure, BanditHit, bandit_hits
from toolchain.scan.contents import Entry, Problem
from toolchain.scan.contents.kinds import is_text
from toolchain.scan.evaluate.judges.loading import NOT_GIVEN
from toolchain.scan.evaluate.triggers import is_large
from toolchain.scan.gathering import Gathered
from toolchain.scan.inspect import inspect_entry
from toolchain.scan.inspect.text import decoded
from toolchain.scan.merging import merge
from toolchain.scan.model import CLASSES, ScanFinding, ScanOptions
from toolchain.scan.policy import Policy, load_policy
from toolchain.scan.pool import Sources, judge_sources
from toolchain.scan.sources import claimed_programs, program_sources

_AROUND = 3
_WIDTH = 300
_UNREADABLE = frozenset({"pickle", "compiled python"})


@dataclass(frozen=True)
class _Said:
    """What each of the three said of the files."""

    answers: list[dict[str, Any]]
    hits: list[BanditHit | BanditFailure]
    problems: list[Problem]


def judge(gathered: Gathered, options: ScanOptions) -> list[ScanFinding]:
    """Every finding, by file and line; the evaluator, bandit and the inspection run beside one another."""
    policy = load_policy()
    said = _ask(gathered, policy, options)
    claimed = claimed_programs(gathered.kept)
    problems = (*gathered.reading.problems, *gathered.large, *said.problems)
    found = [_from_problem(problem, policy, options) for problem in problems]
    for answer in said.answers:
        found += _from_answer(answer, policy, options)
        found += _from_unjudged(answer, policy, options, claimed)
    hits = [hit for hit in said.hits if not isinstance(hit, BanditFailure) or hit.file in claimed]
    shown = [finding for finding in found if finding.level != "allowed"]
    return list(_with_sources(merge(shown, hits, policy, strict=options.strict), gathered))


def _ask(gathered: Gathered, policy: Policy, options: ScanOptions) -> _Said:
    sources, problems = program_sources(gathered.kept)
    ours = Sources(sources, gathered.roots, options.workers)
    with ThreadPoolExecutor(2) as beside:
        answers = beside.submit(judge_sources, ours, options.limits)
        hits = beside.submit(lambda: list(bandit_hits(sources, options.limits))) if options.use_bandit else None
        for name, file in gathered.kept.items():
            problems += inspect_entry(Entry(name, file.data), file.kind, policy, options.limits)
        problems += _less_care(sources, answers.result())
        return _Said(answers.result(), [] if hits is None else hits.result(), problems)


def _less_care(sources: dict[str, bytes], answers: list[dict[str, Any]]) -> Iterator[Problem]:
    """What a reader of the report must know of a large tree, whatever was found in it."""
    if is_large(sources):
        megabytes = sum(map(len, sources.values())) / 1_000_000
        parsed = sum(not answer.get("evaluated", True) for answer in answers)
        message = (
            f"{len(sources):,} sources, {megabytes:.1f} MB: read with less care than a smaller tree; {parsed:,} of"
            " them, which name no word from which a rule starts, were parsed only"
        )
        yield Problem("tree.large", message, "")


def _from_answer(answer: dict[str, Any], policy: Policy, options: ScanOptions) -> Iterator[ScanFinding]:
    for rule_id, name, line, column, trail, note in answer["reached"]:
        rule = policy.rules[rule_id]
        level = rule.level(strict=options.strict)
        if note == NOT_GIVEN and level == "forbidden" and not options.strict:
            level = "warned"  # safe since torch 2.6, and the platform allows it; older releases unpickle
        message = f"{name} ({CLASSES[rule.power]})" + (f": {note}" if note else "")
        yield ScanFinding(
            rule.id, rule.power, level, name, message, rule.remedy, answer["file"], line, column, tuple(trail)
        )


def _from_unjudged(
    answer: dict[str, Any], policy: Policy, options: ScanOptions, claimed: frozenset[str]
) -> Iterator[ScanFinding]:
    if answer["problem"] is not None:
        rule_id, message, line = answer["problem"]
        if rule_id != "file.unparsed" or answer["file"] in claimed:  # else: text that only looked like a program
            yield _from_problem(Problem(rule_id, message, answer["file"], line), policy, options)


def _from_problem(problem: Problem, policy: Policy, options: ScanOptions) -> ScanFinding:
    rule = policy.rules[problem.rule]
    level = rule.level(strict=options.strict)
    name = problem.name or rule.id
    return ScanFinding(
        rule.id, rule.power, level, name, problem.message, rule.remedy, problem.file, max(problem.line, 1)
    )


def _with_sources(findings: list[ScanFinding], gathered: Gathered) -> Iterator[ScanFinding]:
    """Each finding with its line and the lines around it, cut to a width that a report can show."""
    lines: dict[str, list[str]] = {}
    for finding in findings:
        file = gathered.kept.get(finding.file)
        if file is None or file.kind in _UNREADABLE or not is_text(file.data):
            yield finding
            continue
        if finding.file not in lines:
            lines[finding.file] = decoded(file.data).split("\n")
        text, at = lines[finding.file], finding.line - 1
        first = max(at - _AROUND, 0)
        context = tuple(line[:_WIDTH] for line in text[first : at + _AROUND + 1])
        source = text[at][:_WIDTH].rstrip() if at < len(text) else ""
        yield replace(finding, source=source, context=context, context_line=first + 1)
