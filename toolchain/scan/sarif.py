"""The result as SARIF 2.1.0."""

from __future__ import annotations

from typing import Any

from toolchain import __version__
from toolchain.scan.model import CLASSES, ScanFinding, ScanResult

_LEVELS = {"forbidden": "error", "warned": "warning"}


def to_sarif(result: ScanResult) -> dict[str, Any]:
    """One run with our rules and results; the class of power is in ``properties.class``."""
    rules = {f.rule: f for f in result.findings}
    order = {rule: position for position, rule in enumerate(rules)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "mixpeek plugin scan",
                        "version": __version__,
                        "rules": [_rule(finding) for finding in rules.values()],
                        "properties": {"rulesVersion": result.rules_version, "rulesSha256": result.rules_digest},
                    }
                },
                "invocations": [{"executionSuccessful": True}],
                "results": [_result(finding, order[finding.rule]) for finding in result.findings],
                "columnKind": "utf16CodeUnits",
                "properties": {"passed": result.passed, "contentSha256": result.content_digest},
            }
        ],
    }


def _rule(finding: ScanFinding) -> dict[str, Any]:
    return {
        "id": finding.rule,
        "shortDescription": {"text": CLASSES.get(finding.power, finding.power)},
        "help": {"text": finding.remedy},
        "properties": {"class": finding.power},
    }


def _result(finding: ScanFinding, index: int) -> dict[str, Any]:
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.file)},
            "region": {
                "startLine": max(finding.line, 1),
                "startColumn": finding.column + 1,
                "snippet": {"text": finding.source},
            },
        }
    }
    shown: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS.get(finding.level, "note"),
        "message": {"text": f"{finding.message}. Next step: {finding.remedy}"},
        "locations": [location],
        "properties": {
            "class": finding.power,
            "name": finding.name,
            "trail": list(finding.trail),
            "remedy": finding.remedy,
            "tools": list(finding.tools),
            "source": finding.source,
        },
    }
    if finding.suppressed:
        shown["suppressions"] = [{"kind": "external", "justification": finding.suppressed}]
    return shown


def _uri(name: str) -> str:
    from urllib.parse import quote

    return quote(name)
