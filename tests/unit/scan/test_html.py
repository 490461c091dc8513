"""The report for a reviewer: one file that loads nothing and says nothing of a stranger's as markup."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tests.support.results import finding, result
from toolchain.scan import Scanned
from toolchain.scan.html import to_html

_MARKUP = "</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'&<!--"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page(*scanned: Scanned) -> _Page:
    parsed = _Page()
    parsed.feed(to_html(scanned))
    parsed.close()
    return parsed


def test_it_says_what_a_reviewer_asks() -> None:
    shown = page(Scanned("guest", result(finding(), files=("core.py", "a.png")))).text
    for words in (
        "failed",
        "os.system",
        "core.py:3",
        "line 1: import os",
        "numpy>=2",
        "api.example.com:443",
        "c" * 64,
    ):
        assert words in shown, words


def test_an_accepted_finding_stays_in_it() -> None:
    shown = page(Scanned("guest", result(finding(suppressed="seen (A Reviewer)"))))
    assert "seen (A Reviewer)" in shown.text
    assert "passed" in shown.text


def test_it_loads_nothing_and_runs_nothing() -> None:
    parsed = page(Scanned("guest", result(finding())))
    policies = [attributes["content"] for _, attributes in parsed.tags if "http-equiv" in attributes]
    (policy,) = policies
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert {tag for tag, _ in parsed.tags} & {"script", "img", "link", "iframe", "object", "form", "base"} == set()
    links = [attributes.get("href") or "" for _, attributes in parsed.tags if "href" in attributes]
    assert all(link.startswith("#") for link in links)
    assert not any(
        name.startswith("on") or name == "style" for _, attributes in parsed.tags for name in attributes
    )


@pytest.mark.parametrize("field", ["name", "message", "remedy", "file", "source", "rule"])
def test_a_strangers_text_is_never_markup(field: str) -> None:
    plain = page(Scanned("guest", result(finding())))
    hostile = page(Scanned("guest", result(finding(**{field: _MARKUP}))))
    assert [tag for tag, _ in hostile.tags if tag != "span"] == [tag for tag, _ in plain.tags if tag != "span"]


def test_names_and_sources_and_dependencies_are_never_markup() -> None:
    spoiled = finding(trail=(_MARKUP,), context=(_MARKUP, "x = '" + _MARKUP, _MARKUP), suppressed=_MARKUP)
    parsed = page(Scanned(_MARKUP, result(spoiled, files=(_MARKUP,), left_out=(_MARKUP,))))
    assert {tag for tag, _ in parsed.tags} & {"script", "img"} == set()
    assert "alert(1)" in parsed.text


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x1b", "\ud800", "\x00", "\u2028"])
def test_what_hides_or_turns_text_is_shown(character: str) -> None:
    html = to_html([Scanned("guest", result(finding(file=f"a{character}b.py", context=(f"x{character}y",))))])
    assert character not in html
    assert f"U+{ord(character):04X}" in html
    html.encode()


def test_every_region_that_scrolls_can_be_reached_by_keyboard() -> None:
    parsed = page(Scanned("guest", result(finding())))
    regions = [attributes for tag, attributes in parsed.tags if tag == "pre" or attributes.get("class") == "table"]
    assert len(regions) == 2
    assert all(attributes.get("tabindex") == "0" and attributes.get("aria-label") for attributes in regions)
