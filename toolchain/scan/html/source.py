"""A finding's lines of source as HTML, with the line in question marked."""

from __future__ import annotations

from collections.abc import Iterator

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, String

from toolchain.scan.html.escaping import shown
from toolchain.scan.model import ScanFinding

_PYTHON = (".py", ".pyi", ".pyw", ".ipynb")
_CLASSES = (
    (Comment, "comment"),
    (Keyword, "keyword"),
    (String, "string"),
    (Number, "numeral"),
    (Name.Builtin, "builtin"),
)


def source_lines(finding: ScanFinding) -> str:
    """The excerpt as numbered lines; empty where the file is no text."""
    if not finding.context:
        return ""
    texts = (
        _highlighted(finding.context)
        if finding.file.endswith(_PYTHON)
        else [shown(line) for line in finding.context]
    )
    rows = []
    for number, text in enumerate(texts, finding.context_line):
        row = f'<span class="number">{number:>6}</span> {text}'
        rows.append(f"<mark>{row}</mark>" if number == finding.line else row)
    label = f"source, line {finding.line} marked"
    return f'<pre tabindex="0" aria-label="{label}"><code>' + "\n".join(rows) + "</code></pre>"


def _highlighted(lines: tuple[str, ...]) -> list[str]:
    """One HTML text for each line; the excerpt is short, so a lexer cannot be kept busy by it."""
    finished, current = [], ""
    for kind, text in _tokens("\n".join(lines)):
        for position, part in enumerate(text.split("\n")):
            if position:
                finished.append(current)
                current = ""
            current += f'<span class="{kind}">{shown(part)}</span>' if kind and part else shown(part)
    finished.append(current)
    return finished[: len(lines)]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    lexer = PythonLexer(stripnl=False, ensurenl=False)
    for kind, value in lexer.get_tokens(text):
        yield (
            next((name for parent, name in _CLASSES if kind[: len(parent)] == parent), ""),
            value,
        )  # a path of names
