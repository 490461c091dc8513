"""SARIF: valid against the committee's schema, and everything a reader needs in it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft4Validator, FormatChecker

from tests.support.results import finding, result
from toolchain.scan import Scanned
from toolchain.scan.model import CLASSES
from toolchain.scan.policy import load_policy
from toolchain.scan.sarif import to_sarif

_SCHEMA = json.loads((Path(__file__).parents[2] / "data" / "sarif-schema-2.1.0.json").read_text())
_HOSTILE = "a b/\u202e%2e%2e/<x>#?.py"


def log(*scanned: Scanned) -> dict:
    document = json.loads(json.dumps(to_sarif(scanned)))
    Draft4Validator(_SCHEMA, format_checker=FormatChecker()).validate(document)
    return document


@pytest.mark.parametrize(
    "found",
    [
        (),
        (finding(),),
        (finding(level="warned", trail=(), source="", context=()),),
        (finding(suppressed="seen (a reviewer, until 2030-01-01)"),),
        (finding(file=_HOSTILE, message="\x00\x1b[31m</script>"),),
        (finding(file="", line=1, rule="limit.total", power="U", column=0),),
    ],
    ids=["none", "one", "bare", "accepted", "hostile", "of the whole"],
)
def test_every_result_is_valid(found: tuple) -> None:
    log(Scanned("plugin", result(*found)))


def test_a_result_carries_class_trail_remedy_and_source() -> None:
    (run,) = log(Scanned("plugin", result(finding())))["runs"]
    (shown,) = run["results"]
    assert shown["level"] == "error"
    assert shown["properties"] | {"tools": []} == {
        "class": "P",
        "name": "os.system",
        "trail": ["line 1: import os"],
        "remedy": "remove the process call",
        "tools": [],
        "source": '    os.system("id")',
    }
    place = shown["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "core.py"
    assert (place["region"]["startLine"], place["region"]["startColumn"]) == (3, 5)
    assert run["tool"]["driver"]["rules"][shown["ruleIndex"]]["id"] == shown["ruleId"] == "process.os"


def test_every_rule_is_described() -> None:
    (run,) = log(Scanned("plugin", result()))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert {rule["id"] for rule in rules} == set(load_policy().rules)
    for rule in rules:
        assert rule["properties"]["class"] in CLASSES
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))


def test_an_accepted_finding_says_by_whom() -> None:
    (run,) = log(Scanned("p", result(replace(finding(), suppressed="seen (a reviewer)"))))["runs"]
    assert run["results"][0]["suppressions"][0]["justification"] == "seen (a reviewer)"


def test_a_folder_of_plugins_is_one_run_each() -> None:
    runs = log(Scanned("one", result(finding())), Scanned("two", result()))["runs"]
    assert [run["automationDetails"]["id"] for run in runs] == ["mixpeek-scan/one/", "mixpeek-scan/two/"]
