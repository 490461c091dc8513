"""``plugin pack`` as one library call: read the plugin, keep secrets out, write the canonical archive."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from toolchain.check.reading import Reading, read_plugin
from toolchain.core.errors import UsageFault
from toolchain.core.findings import Finding, Severity, error, ordered
from toolchain.core.reporter import Reporter
from toolchain.core.sizes import shown_bytes
from toolchain.plugin.tree import SIZE_LIMIT, PluginTree
from toolchain.publish.archive import ArchiveFile, ArchiveReading, Format, write_archive
from toolchain.scan.private_keys import PRIVATE_KEY

OUTPUT_FOLDER: Final = "dist"
# Keys and tokens are short texts; a model's weights are not searched for them.
_SEARCHED_BYTES: Final = 4 << 20
# Between making a file and locking it a pack is not yet known to live.
_SPARED_SECONDS: Final = 5.0


@dataclass(frozen=True)
class PackOrder:
    """What to pack: ``output`` is a folder (``None``: ``dist`` in the plugin's); ``secret`` must not be inside."""

    path: Path
    output: Path | None = None
    form: Format = "tar.gz"
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class PackedPlugin:
    """A plugin's archive, and what it holds."""

    name: str
    version: str
    path: Path
    reading: ArchiveReading


@dataclass(frozen=True)
class PackOutcome:
    """An archive, or the findings that prevented it."""

    findings: tuple[Finding, ...]
    packed: PackedPlugin | None = None


def pack_plugin(order: PackOrder, reporter: Reporter) -> PackOutcome:
    """Write the plugin's archive and say what is in it. Nothing of the plugin is run.

    Raises ``UsageFault`` for a folder that cannot be read or written, ``PluginFault`` for a file that changes
    meanwhile.
    """
    reading = read_plugin(order.path)
    tree = reading.tree
    found = [*reading.structure_findings, *reading.identity_findings]
    if not tree.oversized:
        found += _secrets(tree, order.secret)
    findings = ordered(found)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return PackOutcome(findings)
    with reporter.phase("pack") as phase:
        packed = _write(order, reading, phase.advance)
        done = packed.reading
        ratio = f"{shown_bytes(done.extracted_bytes)} in {shown_bytes(done.archive_bytes)}"
        phase.result = f"{len(done.members)} file{'s' * (len(done.members) != 1)}, {ratio}"
    too_large = _too_large(packed.reading.archive_bytes)
    if too_large:
        packed.path.unlink()
        return PackOutcome(ordered([*findings, *too_large]))
    return PackOutcome(findings, packed)


def archive_files(tree: PluginTree) -> list[ArchiveFile]:
    """The plugin's files as the archive takes them: the same list that tests and images are made of."""
    return [ArchiveFile(file.name, file.path, file.size, file.executable) for file in tree.files]


def _write(order: PackOrder, reading: Reading, advance: Callable[[str], None]) -> PackedPlugin:
    name, version = reading.manifest.name, reading.manifest.version
    assert name is not None, "identity findings name what is missing"
    assert version is not None, "identity findings name what is missing"
    folder = order.output if order.output is not None else reading.tree.root / OUTPUT_FOLDER
    target = folder / f"{name}-{version}.{order.form}"
    partial = folder / f".{target.name}.{secrets.token_hex(4)}"
    files = archive_files(reading.tree)
    total = sum(file.size for file in files)

    def progress(done: int) -> None:
        advance(f"{shown_bytes(done)} of {shown_bytes(total)}")

    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder, name)
        try:
            with partial.open("x+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                written = write_archive(name, files, stream, order.form, progress)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as reason:
        remedy = "name a folder that you may write with --output, and free some space"
        if isinstance(reason, (FileExistsError, NotADirectoryError)):
            remedy = "name a folder with --output: the archive's own name is fixed"
        raise UsageFault(
            f"the archive cannot be written: {reason.strerror}", where=str(target), remedy=remedy
        ) from None
    return PackedPlugin(name, version, target, written)


def _remove_stale(folder: Path, name: str) -> None:
    """Remove what packs of this plugin left that were killed: no living one holds its lock."""
    ours = re.compile(rf"\.{re.escape(name)}-[0-9.]+\.(?:tar\.gz|zip)\.[0-9a-f]{{8}}")
    for path in folder.iterdir():
        if not ours.fullmatch(path.name):
            continue
        with suppress(OSError), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            if time.time() - os.fstat(stream.fileno()).st_mtime > _SPARED_SECONDS:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _secrets(tree: PluginTree, secret: str | None) -> Iterator[Finding]:
    """Private keys in any file, and the user's own API key: published once, they are public."""
    needle = secret.encode() if secret else None
    for file in tree.files:
        if file.size > _SEARCHED_BYTES:
            continue
        data = tree.read(file.name)
        if PRIVATE_KEY.search(data):
            remedy = "remove it, or name it in .mixpeekignore; if the key is in use, replace it"
            yield error("pack.private-key", "the file holds a private key", remedy, file=file.name)
        if needle and needle in data:
            remedy = "take the key from the environment at run time; replace it if the file was ever shared"
            yield error("pack.api-key", "the file holds the API key in use", remedy, file=file.name)


def _too_large(size: int) -> list[Finding]:
    if size <= SIZE_LIMIT:
        return []
    message = f"the archive has {size >> 20} MiB; the platform takes {SIZE_LIMIT >> 20} MiB"
    return [error("pack.too-large", message, "publish large models separately and load them by id")]
