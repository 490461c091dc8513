"""What a plugin needs, read by us: named PEP 508 requirements and nothing else.

"Wheels only" flags are no wall: pip and uv both ran a ``setup.py`` on the host when the requirements file itself
held ``--no-binary`` or ``-e ./dir``. So no tool ever reads the user's file; it reads the one that we write from
this module's result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from images.layout import PRIVATE_NAMES
from images.requirement_refusals import refusal
from images.requirement_sources import Line, read_pyproject, read_requirements_file
from toolchain.core.findings import Finding, error, ordered

if TYPE_CHECKING:
    from packaging.requirements import Requirement as Parsed


@dataclass(frozen=True)
class Requirement:
    """One requirement: its canonical ``name``, its normalised ``text``, and where it was written."""

    name: str
    text: str
    file: str
    line: int | None = None

    @property
    def place(self) -> str:
        """Where it was written, as ``file:line``."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True)
class RequirementSet:
    """The merged requirements, sorted, and every problem found; usable only when ``findings`` is empty."""

    requirements: tuple[Requirement, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was refused."""
        return not self.findings

    @property
    def lines(self) -> tuple[str, ...]:
        """The requirements as the resolver reads them."""
        return tuple(requirement.text for requirement in self.requirements)


def read_requirements(
    root: Path,
    manifest_dependencies: Sequence[str | tuple[str, int | None]] = (),
    *,
    manifest_file: str = "manifest.py",
) -> RequirementSet:
    """The plugin's requirements from its manifest, ``requirements.txt`` and ``pyproject.toml``.

    ``manifest_dependencies`` are the strings of the manifest's list, alone or with their line. Nothing is raised
    for what a user wrote: all problems come back together in ``findings``.
    """
    lines = [_manifest_line(entry, manifest_file) for entry in manifest_dependencies]
    findings: list[Finding] = []
    for reader in (read_requirements_file, read_pyproject):
        found, problems = reader(root)
        lines.extend(found)
        findings.extend(problems)
    return _collected(lines, findings)


def requirement_set(lines: Iterable[str], *, source: str) -> RequirementSet:
    """Requirements that we wrote ourselves; ``source`` names them in messages."""
    return _collected([Line(line, source, None) for line in lines], [])


def _collected(lines: Iterable[Line], findings: list[Finding]) -> RequirementSet:
    requirements: list[tuple[Requirement, Parsed]] = []
    for line in lines:
        outcome = _parse(line)
        if isinstance(outcome, Finding):
            findings.append(outcome)
        else:
            requirements.append(outcome)
    merged, conflicts = _merge(requirements)
    return RequirementSet(tuple(merged), ordered([*findings, *conflicts]))


def _manifest_line(entry: str | tuple[str, int | None], file: str) -> Line:
    text, number = (entry, None) if isinstance(entry, str) else entry
    return Line(text.strip(), file, number)


def _parse(line: Line) -> tuple[Requirement, Parsed] | Finding:
    from packaging.requirements import InvalidRequirement
    from packaging.requirements import Requirement as Parsed
    from packaging.utils import canonicalize_name

    if refused := refusal(line):
        return refused
    try:
        parsed = Parsed(line.text)
    except InvalidRequirement as reason:
        summary = str(reason).splitlines()[0]
        return error(
            "requirements.syntax",
            f"{line.shown!r} is not a requirement: {summary}",
            "write a name and, if needed, versions: `pandas>=2.2`",
            file=line.file,
            line=line.number,
        )
    name = canonicalize_name(parsed.name)
    if name in PRIVATE_NAMES:
        return error(
            "requirements.private-name",
            f"{name!r} belongs to the platform and is not installed from an index",
            "remove the line: the image already holds the platform's own packages",
            file=line.file,
            line=line.number,
        )
    parsed.name = name
    return Requirement(name, str(parsed), line.file, line.number), parsed


def _merge(entries: Iterable[tuple[Requirement, Parsed]]) -> tuple[list[Requirement], list[Finding]]:
    """One requirement for each name and marker; two that ask for different versions are a conflict."""
    kept: dict[tuple[str, str], tuple[Requirement, Parsed]] = {}
    conflicts: list[Finding] = []
    for requirement, parsed in entries:
        key = (requirement.name, str(parsed.marker or ""))
        first = kept.get(key)
        if first is None or first[0].text == requirement.text or _adds_to(parsed, first[1]):
            kept[key] = kept[key] if first and first[0].text == requirement.text else (requirement, parsed)
        elif not _adds_to(first[1], parsed):
            conflicts.append(_conflict(first[0], requirement))
    return sorted((pair[0] for pair in kept.values()), key=lambda entry: entry.text), conflicts


def _adds_to(narrow: Parsed, wide: Parsed) -> bool:
    """Whether ``narrow`` says all that ``wide`` says: a bare name adds nothing to one with versions."""
    return wide.extras <= narrow.extras and (not wide.specifier or wide.specifier == narrow.specifier)


def _conflict(first: Requirement, second: Requirement) -> Finding:
    return error(
        "requirements.conflict",
        f"{second.text!r} here and {first.text!r} in {first.place} ask for different things",
        f"keep one of the two, or write the same versions in both: {first.place} and {second.place}",
        file=second.file,
        line=second.line,
    )
