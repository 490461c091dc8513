"""What a plugin tried, as a tree for people."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from textwrap import wrap
from typing import Any

_SHOWN = 12
_SUBJECT = 90
_WIDTH = 110


def render_behaviour(report: Mapping[str, Any], *, closely: bool) -> list[str]:
    """The report of ``plugin test``'s check on behaviour as lines.

    Without ``closely`` only what is judged is shown, and nothing where that is nothing.
    """
    tried = [doing for doing in report["tried"] if closely or doing["judgement"] != "ordinary"]
    if not tried and not closely:
        return []
    lines = ["", "Tried by the plugin and its dependencies:"]
    for category, group in groupby(tried, key=lambda doing: doing["category"]):
        doings = list(group)
        lines.append(f"  {category}")
        lines += [f"    {line}" for doing in doings[:_SHOWN] for line in _doing(doing)]
        if len(doings) > _SHOWN:
            lines.append(f"    … and {len(doings) - _SHOWN} more (--json shows all)")
    if not tried:
        lines.append("  nothing that leaves its own folder")
    if report["left_out"]:
        counts = ", ".join(f"{count} of {kind}" for kind, count in report["left_out"].items())
        lines.append(f"  beyond the limits of this report: {counts}")
    if closely:
        lines += [line for source in report["sources"] for line in _source(source)]
    return lines


def _doing(doing: Mapping[str, Any]) -> list[str]:
    subject = " ".join(doing["arguments"]) or doing["subject"]
    subject = " ".join(subject.split())
    shown = subject if len(subject) <= _SUBJECT else f"{subject[:_SUBJECT]}…"
    facts = [
        doing["judgement"] if doing["judgement"] != "ordinary" else "",
        doing["answer"] or "",
        f"{doing['count']} times" if doing["count"] > 1 else "",
        f"in {', '.join(doing['stages'])}",
        f"at {doing['file']}:{doing['line']}" if doing["file"] else "",
        f"[{', '.join(doing['sources'])}]",
    ]
    return [shown, f"  {', '.join(fact for fact in facts[:-1] if fact)}  {facts[-1]}"]


def _source(source: Mapping[str, Any]) -> list[str]:
    state = "" if source["present"] else ", absent in this run"
    told = f"[{source['source']}{state}] sees {source['sees']}; it cannot see {source['cannot_see']}"
    return wrap(told, width=_WIDTH, initial_indent="  ", subsequent_indent="    ")
