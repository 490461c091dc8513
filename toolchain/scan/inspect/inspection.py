"""One file by its kind: what its content can make a program do, and what in it misleads a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolchain.scan.contents import Entry, Problem, line_number
from toolchain.scan.contents.kinds import zip_tail
from toolchain.scan.inspect.configuration import configuration_problems
from toolchain.scan.inspect.models import model_problems
from toolchain.scan.inspect.secrets import secret_problems
from toolchain.scan.inspect.text import decoded, misleading_text
from toolchain.scan.model import Limits
from toolchain.scan.policy import Policy

_IMPORT_LINE = re.compile(rb"^[ \t]*import[ \t]", re.MULTILINE)
_TEXTS = frozenset({"yaml", "json", "configuration", "text", "python", "notebook", "path file", "shell script"})
# What a file is by its kind alone: the rule, and what to say.
_BY_KIND = {
    "compiled python": ("file.bytecode", "compiled Python, whose source cannot be judged"),
    "native library": ("file.native-library", "a native library cannot be judged"),
    "native source": ("file.native-source", "native source, which a plugin cannot build"),
    "shell script": ("file.shell-script", "a shell script"),
    "unknown binary": ("file.unknown", "nothing is known of its content"),
    "unread archive": ("file.unknown", "an archive of a kind that a scan does not read"),
    "compressed": ("file.unknown", "compressed data of no known kind"),
}


def inspect_entry(entry: Entry, kind: str, policy: Policy, limits: Limits) -> Iterator[Problem]:
    """Every problem of one file that is not one of its evaluation as Python."""
    if kind in _BY_KIND:
        yield Problem(*_BY_KIND[kind], entry.name)
    if kind == "path file" and (found := _IMPORT_LINE.search(entry.data)):
        message = "a .pth file whose import line runs at every start of Python"
        yield Problem("file.path-import", message, entry.name, line_number(entry.data, found.start()))
    if zip_tail(entry.data):
        yield Problem("file.polyglot", "a zip archive hangs on other content", entry.name)
    yield from model_problems(entry, kind)
    if kind not in _TEXTS:
        return
    yield from configuration_problems(entry, kind, policy)
    if len(entry.data) <= limits.text_bytes:
        yield from secret_problems(entry)
        if kind in {"python", "notebook"}:
            yield from misleading_text(entry.name, decoded(entry.data), limits.line_length)
