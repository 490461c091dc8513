"""Runs ``mixpeek plugin test --json`` and holds what it prints to the documented schema."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.plugins import Plugin
from toolchain.cli import main as cli


@dataclass(frozen=True)
class Verdict:
    """One JSON envelope."""

    envelope: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """As the envelope says; ``plugin_test`` has compared it with the real one."""
        return int(self.envelope["exit_code"])

    @property
    def rules(self) -> list[str]:
        """The rules of the findings that deny a pass; of the scan's, see ``scan_rules``."""
        return [rule for rule in self._denying if not rule.startswith("scan.")]

    @property
    def scan_rules(self) -> set[str]:
        """The rules of the scan that deny a pass: most plugins that attack the sandbox break one as well."""
        return {rule for rule in self._denying if rule.startswith("scan.")}

    @property
    def _denying(self) -> list[str]:
        findings = self.envelope["findings"]
        return [finding["rule"] for finding in findings if finding["severity"] in {"error", "unknown"}]

    @property
    def error(self) -> dict[str, Any]:
        """The error, which must be there."""
        assert self.envelope["error"] is not None, self.envelope
        return dict(self.envelope["error"])

    def finding(self, rule: str) -> dict[str, Any]:
        """The one finding of a rule."""
        found = [finding for finding in self.envelope["findings"] if finding["rule"] == rule]
        assert len(found) == 1, f"{len(found)} findings of {rule} among {self.envelope['findings']}"
        return dict(found[0])

    def finding_in(self, rule: str, word: str) -> dict[str, Any]:
        """The one finding of a rule whose message holds a word."""
        found = [f for f in self.envelope["findings"] if f["rule"] == rule and word in f["message"]]
        assert len(found) == 1, f"{len(found)} findings of {rule} on {word} among {self.envelope['findings']}"
        return dict(found[0])

    def check(self, name: str) -> dict[str, Any]:
        """One of the checks."""
        return next(dict(check) for check in self.envelope["data"]["checks"] if check["name"] == name)


def parse_envelope(text: str) -> Verdict:
    """The one JSON document that a command printed, valid against its schema."""
    envelope = json.loads(text, parse_constant=pytest.fail)
    jsonschema.validate(envelope, _schema())
    return Verdict(envelope)


def plugin_test(capsys: pytest.CaptureFixture[str], plugin: Plugin | Path, *options: str) -> Verdict:
    """The verdict of ``plugin test`` run in this process."""
    path = plugin.root if isinstance(plugin, Plugin) else plugin
    capsys.readouterr()
    code = cli.run(["plugin", "test", "--json", "--path", str(path), *options])
    verdict = parse_envelope(capsys.readouterr().out)
    assert verdict.exit_code == code
    return verdict


@cache
def _schema() -> dict[str, Any]:
    return dict(json.loads((Path(cli.__file__).with_name("output.schema.json")).read_text()))
