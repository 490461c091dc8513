"""What a new version adds and drops."""

from __future__ import annotations

from tests.support.results import finding, result
from toolchain.scan.difference import compare
from toolchain.scan.model import Declared


def test_equal_versions_have_no_difference() -> None:
    difference = compare(result(finding()), result(finding()))
    assert difference.nothing
    assert not difference.more_dangerous


def test_a_finding_that_moved_is_no_new_one_but_a_second_is() -> None:
    old = result(finding(line=3))
    assert compare(old, result(finding(line=40))).nothing
    added = compare(old, result(finding(line=40), finding(line=50))).findings_added
    assert [f.line for f in added] == [50]


def test_what_came_and_went_is_told_by_kind() -> None:
    old = result(finding(), files=("core.py", "gone.py"))
    new = result(
        finding("socket.socket", power="N", rule="network.socket"),
        files=("core.py", "new.py"),
        declared=Declared("example", "1.1.0", ("numpy>=2", "requests"), ()),
    )
    told = compare(old, new).to_json()
    assert told["versions"] == {"old": "example 1.0.0", "new": "example 1.1.0"}
    assert told["files"] == {"added": ["new.py"], "removed": ["gone.py"], "changed": []}
    assert told["dependencies"] == {"added": ["requests"], "removed": []}
    assert told["permissions"] == {"added": [], "removed": ["hosts: api.example.com:443"]}
    assert told["classes"] == {"added": ["N network socket"], "removed": ["P process or shell"]}
    assert [f["name"] for f in told["findings"]["added"]] == ["socket.socket"]


def test_an_archive_compares_with_a_folder() -> None:
    archive = result(finding(file="example-1/core.py"), files=("example-1/core.py", "example-1/a.py"))
    assert compare(archive, result(finding(), files=("core.py", "a.py"))).files.added == ()
    assert compare(archive, result(finding(), files=("core.py", "a.py"))).findings_added == ()


def test_only_something_forbidden_makes_it_more_dangerous() -> None:
    assert not compare(result(), result(finding(level="warned"))).more_dangerous
    assert compare(result(), result(finding())).more_dangerous
