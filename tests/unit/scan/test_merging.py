"""One construct is one finding."""

from __future__ import annotations

from toolchain.scan import ScanFinding
from toolchain.scan.bandit import BanditFailure, BanditHit
from toolchain.scan.merging import merge
from toolchain.scan.policy import load_policy


def ours(name: str = "os.system", line: int = 1, column: int = 0, **changes: str) -> ScanFinding:
    fields = {"rule": "process.os", "power": "P", "level": "forbidden", "file": "a.py"} | changes
    return ScanFinding(name=name, message=name, remedy="r", line=line, column=column, **fields)


def hit(line: int = 1, last: int = 1, column: int = 0, power: str = "P", test: str = "B605") -> BanditHit:
    return BanditHit("a.py", line, last, column, power, test, "bandit says so")


def merged(
    found: list[ScanFinding], hits: list[BanditHit | BanditFailure], *, strict: bool = False
) -> list[ScanFinding]:
    return merge(found, hits, load_policy(), strict=strict)


def test_a_hit_at_the_same_place_joins_ours() -> None:
    (finding,) = merged([ours()], [hit(), hit(test="B607")])
    assert (finding.name, finding.tools) == ("os.system", ("mixpeek", "bandit"))


def test_of_two_constructs_on_a_line_the_right_one_is_joined() -> None:
    first, second = merged([ours(column=0), ours("os.popen", column=20)], [hit(column=20)])
    assert (first.tools, second.tools) == (("mixpeek",), ("mixpeek", "bandit"))


def test_a_call_over_several_lines_is_one_construct() -> None:
    assert len(merged([ours(line=3, column=4)], [hit(line=2, last=4)], strict=True)) == 1


def test_a_module_and_its_member_at_one_place_are_one_construct() -> None:
    found = merged([ours("os"), ours("os.system"), ours("os", line=2)], [])
    assert [(f.name, f.line) for f in found] == [("os.system", 1), ("os", 2)]


def test_what_only_bandit_names_is_a_warning_of_the_strict_list() -> None:
    assert merged([], [hit()]) == []
    (finding,) = merged([], [hit(test="B602"), hit(test="B607")], strict=True)
    assert (finding.rule, finding.power, finding.level) == ("bandit.only", "P", "warned")
    assert (finding.name, finding.tools) == ("B602, B607", ("bandit",))


def test_in_a_file_that_we_could_not_judge_bandit_decides() -> None:
    unjudged = ours("limit.work", line=9, rule="limit.work", power="U")
    assert {f.level for f in merged([unjudged], [hit()])} == {"forbidden"}


def test_a_failure_of_bandit_is_a_finding_or_joins_ours() -> None:
    (alone,) = merged([], [BanditFailure("a.py", "it broke")])
    assert (alone.rule, alone.level) == ("bandit.failed", "forbidden")
    unparsed = ours("file.unparsed", rule="file.unparsed", power="U")
    (joined,) = merged([unparsed], [BanditFailure("a.py", "no syntax")])
    assert joined.tools == ("mixpeek", "bandit")
