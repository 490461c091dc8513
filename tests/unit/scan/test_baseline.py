"""What a reviewer accepts: outside of the plugin, for this code, for a time."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.support.results import finding, result
from toolchain.core.errors import UsageFault
from toolchain.scan.baseline import SignOff, apply_baseline, write_baseline

_TODAY = date.today()  # noqa: DTZ011 - a day around midnight is not the matter here


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "plugin"
    folder.mkdir()
    return folder


def sign_off(days: int = 30, reason: str = "reads its own cache", author: str = "A Reviewer") -> SignOff:
    return SignOff(reason, author, _TODAY + timedelta(days))


def accepted(file: Path, plugin: Path, code: str = "c" * 64) -> list[str | None]:
    return [one.suppressed for one in apply_baseline([finding()], code, file, plugin)]


def test_what_was_written_accepts_the_finding(tmp_path: Path, plugin: Path) -> None:
    file = tmp_path / "accepted.toml"
    assert write_baseline(result(finding()), file, plugin, sign_off()) == 1
    (reason,) = accepted(file, plugin)
    assert reason is not None
    assert reason.startswith("reads its own cache (A Reviewer, until ")


def test_it_does_not_hold_for_other_code_or_another_line(tmp_path: Path, plugin: Path) -> None:
    file = tmp_path / "accepted.toml"
    write_baseline(result(finding()), file, plugin, sign_off())
    assert accepted(file, plugin, code="d" * 64) == [None]
    assert apply_baseline([finding(line=4)], "c" * 64, file, plugin)[0].suppressed is None


def test_it_ends_with_its_last_day(tmp_path: Path, plugin: Path) -> None:
    file = tmp_path / "accepted.toml"
    write_baseline(result(finding()), file, plugin, sign_off(days=1))
    text = file.read_text()
    file.write_text(text.replace(str(_TODAY + timedelta(1)), str(_TODAY - timedelta(2))))
    assert accepted(file, plugin) == [None]


def test_writing_again_keeps_what_others_accepted(tmp_path: Path, plugin: Path) -> None:
    file = tmp_path / "accepted.toml"
    write_baseline(result(finding(), code_digest="d" * 64), file, plugin, sign_off())
    write_baseline(result(finding()), file, plugin, sign_off(reason='a "new" reason\n'))
    write_baseline(result(finding()), file, plugin, sign_off(reason='a "new" reason\n'))
    assert file.read_text().count("[[accepted]]") == 2
    assert accepted(file, plugin, code="d" * 64) != [None]


def test_what_was_not_read_is_not_accepted(tmp_path: Path, plugin: Path) -> None:
    file = tmp_path / "accepted.toml"
    unread = finding(rule="limit.total", power="U")
    assert write_baseline(result(unread), file, plugin, sign_off()) == 0
    write_baseline(result(finding()), file, plugin, sign_off())
    file.write_text(file.read_text().replace("process.os", "limit.total"))
    assert apply_baseline([unread], "c" * 64, file, plugin)[0].suppressed is None


@pytest.mark.parametrize("link", [False, True])
def test_a_plugin_cannot_sign_off_on_itself(tmp_path: Path, plugin: Path, link: bool) -> None:
    inside = plugin / "accepted.toml"
    inside.write_text("")
    file = tmp_path / "link.toml" if link else inside
    if link:
        file.symlink_to(inside)
    with pytest.raises(UsageFault, match="inside of what it judges"):
        apply_baseline([finding()], "c" * 64, file, plugin)
    with pytest.raises(UsageFault, match="inside of what it judges"):
        write_baseline(result(finding()), file, plugin, sign_off())


@pytest.mark.parametrize("bad", [sign_off(reason=" "), sign_off(author=""), sign_off(days=-1), sign_off(days=800)])
def test_an_acceptance_needs_reason_author_and_a_near_end(tmp_path: Path, plugin: Path, bad: SignOff) -> None:
    with pytest.raises(UsageFault):
        write_baseline(result(finding()), tmp_path / "a.toml", plugin, bad)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('reason = "reads its own cache"', 'reason = ""'),
        ('author = "A Reviewer"\n', ""),
        ("line = 3", 'line = "3"'),
        ("accepted = ", "accepted = 2030-01-01T00:00:00Z # "),
        ("[[accepted]]", "[[accepted]]\nextra = 1"),
        ("[[accepted]]", "[accepted]"),
        ("[[accepted]]", "[["),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, plugin: Path, old: str, new: str) -> None:
    file = tmp_path / "accepted.toml"
    write_baseline(result(finding()), file, plugin, sign_off())
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(UsageFault):
        accepted(file, plugin)


def test_a_baseline_that_is_not_there_is_told_so(tmp_path: Path, plugin: Path) -> None:
    with pytest.raises(UsageFault, match="no such baseline") as caught:
        accepted(tmp_path / "nope", plugin)
    assert "--write-baseline" in caught.value.remedy
