"""What was tried, as people read it."""

from __future__ import annotations

from typing import Any

from tests.support.plugins import make_plugin
from toolchain.cli import main as cli
from toolchain.cli.behaviour_rendering import render_behaviour


def doing(category: str, subject: str, judgement: str, **changes: Any) -> dict[str, Any]:
    plain = {"count": 1, "stages": ["tests"], "sources": ["observed"], "answer": "refused", "arguments": []}
    return {
        **plain,
        "category": category,
        "subject": subject,
        "judgement": judgement,
        "file": None,
        "line": None,
        **changes,
    }


def report(*tried: dict[str, Any], left_out: dict[str, int] | None = None) -> dict[str, Any]:
    sources = [{"source": "observed", "present": False, "sees": "calls", "cannot_see": "lines"}]
    return {"tried": list(tried), "left_out": left_out or {}, "sources": sources}


def test_a_tree_by_category_with_place_and_witness():
    shell = doing(
        "execution", "/bin/sh", "undeclared", arguments=["sh", "-c", "id\nid"], count=3, file="a.py", line=7
    )
    assert render_behaviour(report(doing("network", "203.0.113.1:80", "declared"), shell), closely=False)[1:] == [
        "Tried by the plugin and its dependencies:",
        "  network",
        "    203.0.113.1:80",
        "      declared, refused, in tests  [observed]",
        "  execution",
        "    sh -c id id",
        "      undeclared, refused, 3 times, in tests, at a.py:7  [observed]",
    ]


def test_the_ordinary_is_shown_on_request_alone():
    ordinary = report(doing("file", "/etc/passwd", "ordinary"))
    assert render_behaviour(ordinary, closely=False) == []
    shown = render_behaviour(ordinary, closely=True)
    assert "    /etc/passwd" in shown
    assert shown[-1] == "  [observed, absent in this run] sees calls; it cannot see lines"


def test_a_long_list_is_cut_and_says_so():
    many = [doing("file", f"/srv/{number}", "ordinary") for number in range(20)]
    shown = render_behaviour(report(*many, left_out={"read": 5}), closely=True)
    assert "    … and 8 more (--json shows all)" in shown
    assert "  beyond the limits of this report: 5 of read" in shown


def test_tracing_needs_the_sandbox(tmp_path, capsys):
    plugin = make_plugin(tmp_path)
    assert cli.run(["plugin", "test", "--trace", "--path", str(plugin.root)]) == 2
    assert "--sandbox" in capsys.readouterr().err
