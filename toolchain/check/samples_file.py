"""Finds the sample rows that a test uses. The file is not parsed here: its content may be hostile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sandbox.conversation import Sample
from toolchain.core.errors import MixpeekError, UsageFault
from toolchain.core.files import read_regular
from toolchain.core.findings import Finding, error
from toolchain.plugin.tree import PluginTree

FORMATS = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
SIZE_LIMIT = 256 << 20
_DEFAULT_NAMES = tuple(f"samples{suffix}" for suffix in FORMATS)


@dataclass(frozen=True)
class SampleChoice:
    """Where the rows come from: a path that the user gave, else a file that the plugin names, else its own."""

    given: Path | None = None
    named_by_plugin: str | None = None


def find_sample(choice: SampleChoice, tree: PluginTree) -> tuple[Sample | None, tuple[Finding, ...]]:
    """The sample file, or none, and what stands against the plugin's own.

    A plugin may name only a file of its own: its samples come back through its tests, and a path elsewhere would
    hand it the reader's files. Raises ``UsageFault`` when a file that the user gave cannot be used.
    """
    if choice.given is not None:
        return _given(choice.given, tree.root), ()
    name = choice.named_by_plugin or next((name for name in _DEFAULT_NAMES if name in tree), None)
    if name is None:
        return None, ()
    name = PurePosixPath(name).as_posix()
    if name not in tree:
        remedy = "name one of the plugin's own files, relative to its folder"
        message = f"sample-data names {name!r}, which is no file of the plugin"
        return None, (error("samples.not-own", message, remedy, file="pyproject.toml"),)
    try:
        return Sample(name, _format(name), read_regular(tree.root, name, limit=SIZE_LIMIT)), ()
    except MixpeekError as refusal:
        return None, (error("samples.unreadable", refusal.message, refusal.remedy, file=name),)


def _given(path: Path, root: Path) -> Sample:
    kind = _format(str(path))
    if not path.is_file():
        raise UsageFault(
            "the sample file does not exist", where=str(path), remedy="correct the path given with --sample-data"
        )
    try:
        size = path.stat().st_size
        if size <= SIZE_LIMIT:
            inside = path.absolute().is_relative_to(root)
            name = path.absolute().relative_to(root).as_posix() if inside else str(path)
            return Sample(name, kind, path.read_bytes())
    except OSError as reason:
        raise UsageFault(
            f"the sample file cannot be read: {reason.strerror}", where=str(path), remedy="check its permissions"
        ) from None
    raise UsageFault(
        f"the sample file holds {size >> 20} MiB; at most {SIZE_LIMIT >> 20} are taken",
        where=str(path),
        remedy="take a part of the rows: samples show that the plugin works, not how it scales",
    )


def _format(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    kind = FORMATS.get(suffix.lower())
    if kind is None:
        raise UsageFault(
            f"unsupported file type {suffix or '(none)'!r}", where=name, remedy=f"use one of {', '.join(FORMATS)}"
        )
    return kind
