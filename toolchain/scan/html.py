# data tables
# ruff: noqa: E501
"""The result as one HTML file for a reviewer: no script, no network, everything escaped."""

from __future__ import annotations

from html import escape

from toolchain.scan.model import CLASSES, ScanFinding, ScanResult

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1c1c1c;background:#fff}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:left;overflow-wrap:anywhere}
article{border:1px solid #ccc;border-left:6px solid #b00020;padding:.6rem 1rem;margin:1rem 0}article.warned{border-left-color:#9a6700}
pre{background:#f4f4f4;padding:.5rem;overflow-x:auto}mark{background:#ffe08a}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(result: ScanResult, title: str) -> str:
    """The page: verdict, findings with source and trail, inventory, digests."""
    verdict = "passed" if result.passed else "failed"
    rows = "".join(
        f"<tr><td>{escape(i.name)}</td><td>{escape(i.kind)}</td><td>{'yes' if i.carries_code else 'no'}</td>"
        f"<td>{i.size}</td><td><code>{i.digest[:16]}</code></td></tr>"
        for i in result.inventory
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Scan of {escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style></head><body>'
        f"<h1>Scan of {escape(title)}: {verdict}</h1>"
        f"<p>{len(result.active)} findings in {len(result.inventory)} files. Rules version {result.rules_version}, "
        f"<code>{result.rules_digest}</code>. Content <code>{result.content_digest}</code>.</p>"
        f"<h2>Findings</h2>{''.join(map(_finding, result.findings)) or '<p>None.</p>'}"
        "<h2>Inventory</h2><table><thead><tr><th>File</th><th>Kind</th><th>Can carry code</th><th>Bytes</th><th>SHA-256</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></body></html>\n"
    )


def _finding(finding: ScanFinding) -> str:
    trail = "".join(f"<li>{escape(step)}</li>" for step in finding.trail)
    note = f"<p>Accepted: {escape(finding.suppressed)}</p>" if finding.suppressed else ""
    return (
        f'<article class="{escape(finding.level)}"><h3>{escape(finding.level)}: {escape(finding.message)}</h3>'
        f"<p>{escape(finding.file)}, line {finding.line}. Class {escape(finding.power)} "
        f"({escape(CLASSES.get(finding.power, ''))}), rule {escape(finding.rule)}, by {escape(' and '.join(finding.tools))}.</p>"
        f"<pre><mark>{escape(finding.source)}</mark></pre>"
        + (f"<p>Reached by:</p><ol>{trail}</ol>" if trail else "")
        + f"<p>Next step: {escape(finding.remedy)}.</p>{note}</article>"
    )
