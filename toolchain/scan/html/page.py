"""The page: verdict, findings with source and trail, inventory, dependencies, digests.

No script, no link out, nothing loaded: the content security policy allows one thing, the style sheet by its
hash. The whole text of it but our own words comes from a stranger and goes through ``escaping``.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib.resources import files

from toolchain.scan.collection import Scanned
from toolchain.scan.html.escaping import shown
from toolchain.scan.html.source import source_lines
from toolchain.scan.model import CLASSES, ScanFinding, ScanResult

_OPENED = 50  # findings shown unfolded
_ORDER = {"forbidden": 0, "warned": 1}


def to_html(scanned: Sequence[Scanned]) -> str:
    """One file for all results."""
    style = files("toolchain.scan.html").joinpath("style.css").read_text(encoding="utf-8")
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    passed = all(one.result.passed for one in scanned)
    title = scanned[0].label if len(scanned) == 1 else f"{len(scanned)} plugins"
    sections = [_plugin(number, one, several=len(scanned) > 1) for number, one in enumerate(scanned)]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light dark">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Scan of {shown(title)}</title><style>{style}</style></head><body>",
            '<a class="skip" href="#main">Skip to the results</a>',
            f"<header><h1>Scan of {shown(title)} {_verdict(passed=passed)}</h1></header>",
            f'<nav aria-label="Contents"><ul>{"".join(_links(scanned))}</ul></nav>',
            f'<main id="main">{"".join(sections)}</main>',
            "</body></html>",
        ]
    )


def _verdict(*, passed: bool) -> str:
    word = "passed" if passed else "failed"
    return f'<span class="verdict {word}">{word}</span>'


def _links(scanned: Sequence[Scanned]) -> Iterable[str]:
    for number, one in enumerate(scanned):
        if len(scanned) > 1:
            yield f'<li><a href="#plugin-{number}">{shown(one.label)}</a></li>'
            continue
        for part in ("findings", "declared", "inventory", "digests"):
            yield f'<li><a href="#{part}-{number}">{part.capitalize()}</a></li>'


def _plugin(number: int, one: Scanned, *, several: bool) -> str:
    result = one.result
    heading = f"<h2>{shown(one.label)} {_verdict(passed=result.passed)}</h2>" if several else ""
    return (
        f'<section id="plugin-{number}">{heading}'
        f'<section id="findings-{number}"><h3>Findings</h3>{_findings(result)}</section>'
        f'<section id="declared-{number}"><h3>What it declares</h3>{_declared(result)}</section>'
        f'<section id="inventory-{number}"><h3>Inventory</h3>{_inventory(result)}</section>'
        f'<section id="digests-{number}"><h3>Digests</h3>{_digests(result)}</section></section>'
    )


def _findings(result: ScanResult) -> str:
    found = sorted(result.findings, key=lambda f: (f.suppressed is not None, _ORDER.get(f.level, 2)))
    if not found:
        return "<p>None.</p>"
    accepted = len(found) - len(result.active)
    told = f"<p>{len(result.active):,} to be looked at, {accepted:,} accepted.</p>"
    return told + "".join(_finding(finding, opened=n < _OPENED) for n, finding in enumerate(found))


def _finding(finding: ScanFinding, *, opened: bool) -> str:
    level = "accepted" if finding.suppressed else finding.level
    place = f"{shown(finding.file)}:{finding.line}" if finding.file else "the whole"
    facts = {
        "Class": f'<span class="class">{finding.power}</span> {CLASSES[finding.power]}',
        "Rule": f"<code>{shown(finding.rule)}</code>",
        "Name": f"<code>{shown(finding.name)}</code>",
        "Found by": shown(" and ".join(finding.tools)),
        "Next step": shown(finding.remedy),
    }
    if finding.suppressed:
        facts["Accepted"] = shown(finding.suppressed)
    trail = "".join(f"<li><code>{shown(step)}</code></li>" for step in finding.trail)
    return (
        f'<details class="{level}"{" open" if opened and not finding.suppressed else ""}><summary>'
        f'<span class="level">{level}</span> <span class="class">{finding.power}</span> {shown(finding.message)} '
        f'<span class="path">{place}</span></summary>'
        + source_lines(finding)
        + (f"<p>Reached by:</p><ol>{trail}</ol>" if trail else "")
        + f"<dl>{_terms(facts)}</dl></details>"
    )


def _declared(result: ScanResult) -> str:
    declared = result.declared
    identity = {"Name": shown(declared.name or "none"), "Version": shown(declared.version or "none")}
    return (
        f"<dl>{_terms(identity)}</dl>"
        f"<h4>Dependencies</h4>{_list(declared.dependencies)}"
        f"<h4>Permissions</h4>{_list(declared.permissions)}"
    )


def _inventory(result: ScanResult) -> str:
    rows = "".join(
        f"<tr><td><code>{shown(item.name)}</code></td><td>{shown(item.kind)}</td>"
        f'<td>{"yes" if item.carries_code else "no"}</td><td class="count">{item.size:,}</td>'
        f"<td><code>{item.digest[:16]}</code></td></tr>"
        for item in result.inventory
    )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("File", "Kind", "Can carry code", "Bytes", "SHA-256")
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    left_out = f"<p>Never packed, not scanned:</p>{_list(result.left_out)}" if result.left_out else ""
    return f'<div class="table" role="region" aria-label="Inventory" tabindex="0">{table}</div>{left_out}'


def _digests(result: ScanResult) -> str:
    facts = {
        "Content": result.content_digest,
        "Code": result.code_digest,
        f"Rules, version {result.rules_version}{', strict' if result.strict else ''}": result.rules_digest,
    }
    return f"<dl>{_terms({name: f'<code>{digest}</code>' for name, digest in facts.items()})}</dl>"


def _terms(facts: dict[str, str]) -> str:
    return "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items())


def _list(items: Iterable[str]) -> str:
    rows = "".join(f"<li><code>{shown(item)}</code></li>" for item in items)
    return f"<ul>{rows}</ul>" if rows else "<p>None.</p>"
