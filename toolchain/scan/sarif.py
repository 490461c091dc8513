"""Results as SARIF 2.1.0: one run for each plugin, the class of power in ``properties.class``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from toolchain import __version__
from toolchain.scan.collection import Scanned
from toolchain.scan.model import CLASSES, ScanFinding
from toolchain.scan.policy import Rule, load_policy

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"forbidden": "error", "warned": "warning", "allowed": "none"}
_SHOWN_NAMES = 40


def to_sarif(scanned: Sequence[Scanned]) -> dict[str, Any]:
    """The log as plain data."""
    rules = load_policy().rules
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(one, rules) for one in scanned]}


def _run(one: Scanned, rules: dict[str, Rule]) -> dict[str, Any]:
    result = one.result
    order = {rule_id: position for position, rule_id in enumerate(rules)}
    driver = {
        "name": "mixpeek plugin scan",
        "semanticVersion": __version__,
        "rules": [_rule(rule, strict=result.strict) for rule in rules.values()],
        "properties": {"rulesVersion": result.rules_version, "rulesSha256": result.rules_digest},
    }
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"mixpeek-scan/{quote(one.label)}/"},
        "originalUriBaseIds": {"PLUGIN": {"description": {"text": f"The plugin {one.label}"}}},
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(finding, order[finding.rule]) for finding in result.findings],
        "columnKind": "unicodeCodePoints",
        "properties": {
            "passed": result.passed,
            "strict": result.strict,
            "contentSha256": result.content_digest,
            "codeSha256": result.code_digest,
        },
    }


def _rule(rule: Rule, *, strict: bool) -> dict[str, Any]:
    shown = ", ".join(rule.names[:_SHOWN_NAMES])
    reached = f"Reaching {shown}{' and others' if len(rule.names) > _SHOWN_NAMES else ''}"
    summary = rule.summary or f"{CLASSES[rule.power]}: {rule.id}"
    return {
        "id": rule.id,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": reached if rule.names else summary},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _LEVELS[rule.level(strict=strict)]},
        "properties": {"class": rule.power, "className": CLASSES[rule.power]},
    }


def _result(finding: ScanFinding, index: int) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": max(finding.line, 1), "startColumn": finding.column + 1}
    if finding.source:
        region["snippet"] = {"text": finding.source}
    # A problem of the whole target, such as a limit, has no file.
    artifact = {"uri": quote(finding.file) or ".", "uriBaseId": "PLUGIN"}
    shown: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.level],
        "message": {"text": f"{finding.message}. Next step: {finding.remedy}"},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
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
