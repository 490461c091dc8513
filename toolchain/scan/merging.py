"""One construct is one finding: what bandit says joins what our evaluator says of the same place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from toolchain.scan.bandit import BanditFailure, BanditHit
from toolchain.scan.model import ScanFinding
from toolchain.scan.policy import Level, Policy, Rule

_LEVELS = {"forbidden": 0, "warned": 1}
_BOTH = ("mixpeek", "bandit")


def merge(
    found: Iterable[ScanFinding], hits: Iterable[BanditHit | BanditFailure], policy: Policy, *, strict: bool
) -> list[ScanFinding]:
    """The findings in order of their place; what only bandit names is judged by the rule ``bandit.only``."""
    merged = sorted(_constructs(found), key=_place)
    by_file: dict[str, list[int]] = defaultdict(list)
    for position, finding in enumerate(merged):
        by_file[finding.file].append(position)
    alone: dict[tuple[str, int, str], ScanFinding] = {}
    for hit in hits:
        near = _same_construct(hit, [merged[position] for position in by_file[hit.file]])
        if near is not None:
            position = by_file[hit.file][near]
            merged[position] = replace(merged[position], tools=_BOTH)
        elif isinstance(hit, BanditFailure):
            _keep(alone, _failed(hit, policy.rules["bandit.failed"], strict=strict))
        else:
            unjudged = any(merged[position].power == "U" for position in by_file[hit.file])
            _keep(alone, _only(hit, policy.rules["bandit.only"], strict=strict, unjudged=unjudged))
    return sorted((*merged, *(finding for finding in alone.values() if finding.level != "allowed")), key=_place)


def _constructs(found: Iterable[ScanFinding]) -> Iterable[ScanFinding]:
    """``subprocess`` and ``subprocess.run`` at one place are one construct: the worse, or else the longer name."""
    places: dict[tuple[str, int, int, str], ScanFinding] = {}
    others: list[ScanFinding] = []
    for finding in sorted(dict.fromkeys(found), key=lambda one: len(one.name)):
        place = (finding.file, finding.line, finding.column, finding.power)
        known = places.get(place)
        if known is not None and not finding.name.startswith(f"{known.name}."):
            others.append(known)
        elif known is not None and _LEVELS[known.level] < _LEVELS[finding.level]:
            continue
        places[place] = finding
    return (*places.values(), *others)


def _place(finding: ScanFinding) -> tuple[str, int, int, int, str]:
    return (finding.file, finding.line, finding.column, _LEVELS[finding.level], finding.rule)


def _same_construct(hit: BanditHit | BanditFailure, ours: list[ScanFinding]) -> int | None:
    """Which of our findings is about the same thing: the same place, or the same class on the same lines."""
    if isinstance(hit, BanditFailure):
        return next(
            (n for n, f in enumerate(ours) if f.power == "U" and f.rule.startswith(("file.", "limit."))), None
        )
    best: tuple[int, int] | None = None
    for number, finding in enumerate(ours):
        if (finding.line, finding.column) == (hit.line, hit.column):
            return number
        if finding.power == hit.power and hit.line <= finding.line <= hit.last:
            distance = (
                abs(finding.column - hit.column) if finding.line == hit.line else 1000 + finding.line - hit.line
            )
            best = min(best or (distance, number), (distance, number))
    return None if best is None else best[1]


def _failed(failure: BanditFailure, rule: Rule, *, strict: bool) -> ScanFinding:
    place = (failure.file, failure.line)
    return ScanFinding(
        rule.id,
        rule.power,
        rule.level(strict=strict),
        rule.id,
        failure.message,
        rule.remedy,
        *place,
        tools=("bandit",),
    )


def _only(hit: BanditHit, rule: Rule, *, strict: bool, unjudged: bool) -> ScanFinding:
    # Where our evaluator could not judge the file, nothing has cleared what bandit names.
    level: Level = "forbidden" if unjudged else rule.level(strict=strict)
    place = (hit.file, hit.line, hit.column)
    return ScanFinding(rule.id, hit.power, level, hit.test, hit.message, rule.remedy, *place, tools=("bandit",))


def _keep(alone: dict[tuple[str, int, str], ScanFinding], finding: ScanFinding) -> None:
    """Several rules of bandit may name one call."""
    key = (finding.file, finding.line, finding.power)
    known = alone.get(key)
    alone[key] = finding if known is None else replace(known, name=f"{known.name}, {finding.name}")
