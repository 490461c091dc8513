"""Which lines are refused, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from images.requirement_sources import Line
from toolchain.core.findings import Finding, error


@dataclass(frozen=True)
class _Refusal:
    rule: str
    pattern: re.Pattern[str]
    message: str
    remedy: str


def _rule(rule: str, pattern: str, message: str, remedy: str) -> _Refusal:
    return _Refusal(f"requirements.{rule}", re.compile(pattern, re.IGNORECASE), message, remedy)


_NAME_IT: Final = "publish the package to the index as a wheel and name it here: `package==1.0`"

# In this order: the first that fits explains the line best.
_REFUSALS: Final = (
    _rule(
        "continuation",
        r"\\$",
        "continues on the next line, which only options and hashes need",
        "write one requirement on one line; hashes come from the lock that the build makes",
    ),
    _rule(
        "hash",
        r"(^|\s)--hash\b",
        "carries a hash",
        "remove it: the build writes a lock with the SHA-256 of every wheel and checks each download",
    ),
    _rule("editable", r"^(-e\b|--editable\b)", "is an editable install, which runs code on the host", _NAME_IT),
    _rule(
        "include",
        r"^(-r\b|-c\b|--requirement\b|--constraint\b)",
        "includes another file",
        "copy its lines into this file",
    ),
    _rule(
        "index",
        r"^(-i\b|-f\b|--(index|index-url|extra-index-url|default-index|find-links|no-index|trusted-host)\b)",
        "switches the package index",
        "remove it; set MIXPEEK_INDEX_URL to build from one other index",
    ),
    _rule(
        "no-binary",
        r"^--no-binary\b",
        "asks for a build from source, which runs code on the host",
        "remove it: only wheels are installed",
    ),
    _rule("option", r"^-", "is an option, not a requirement", "remove it: only names and versions are read here"),
    _rule("option", r"\s--\w", "carries an option", "remove the option: only names and versions are read here"),
    _rule("vcs", r"(^|@\s*)(git|hg|svn|bzr)\+", "points at a version control system", _NAME_IT),
    _rule("file-url", r"(^|@\s*)file:", "points at a file of one machine", _NAME_IT),
    _rule("url", r"(^|@\s*)[a-z][a-z0-9+.-]*://", "points at a URL outside the index", _NAME_IT),
    _rule("url", r"^[\w.\[\],-]+\s*@", "points at a place outside the index", _NAME_IT),
    _rule("path", r"^(\.|~|/|\w:\\)|\.(whl|zip|tar\.gz|tgz)$|^[\w.-]+/", "points at a path", _NAME_IT),
    _rule(
        "variable",
        r"\$\{?\w",
        "takes something from the environment, so two machines would build two images",
        "write the value itself",
    ),
)


def refusal(line: Line) -> Finding | None:
    """Why ``line`` is refused, or ``None`` when it may be read as a requirement."""
    for rule in _REFUSALS:
        if rule.pattern.search(line.text):
            message = f"{line.shown!r} {rule.message}"
            return error(rule.rule, message, rule.remedy, file=line.file, line=line.number)
    return None
