# one signature for a table of handlers; a dispatcher over kinds; data tables; one walk's state
# ruff: noqa: ARG001, C901, E501, PLR0911, PLR0913
"""Reads a tree or an archive into memory within limits, and says of every file what its content is."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import UsageFault
from toolchain.scan.model import Item, Limits

_SKIPPED = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)
_CHUNK = 1 << 16
_MAGIC = (
    (b"\x7fELF", "native library"), (b"MZ", "native library"), (b"\xcf\xfa\xed\xfe", "native library"), (b"\xca\xfe\xba\xbe", "native library"),
    (b"\xfe\xed\xfa", "native library"), (b"\x00asm", "native library"), (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf", "7z"), (b"Rar!", "rar"), (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"),
    (b"RIFF", "media"), (b"OggS", "media"), (b"fLaC", "media"), (b"ID3", "media"), (b"\xff\xfb", "media"), (b"%PDF", "document"), (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\x93NUMPY", "numpy"),
    (b"\x89HDF", "hdf5"), (b"SQLite format 3", "sqlite"), (b"GGUF", "gguf"), (b"\x00\x00\x01\x00", "image"), (b"wOF", "font"), (b"\x00\x01\x00\x00", "font"), (b"II*\x00", "image"), (b"MM\x00*", "image"), (b"BM", "image"),
)  # fmt: skip


@dataclass
class Problem:
    """Something about a file that makes it unjudged or dangerous by its kind."""

    rule: str
    message: str
    file: str
    power: str = "U"


@dataclass
class Contents:
    """Everything a scan looks at: bytes by name, and what could not be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    total: int = 0

    def add(self, name: str, data: bytes, limits: Limits) -> bool:
        """Keep one file; whether there is room for more."""
        if len(self.files) >= limits.files or self.total + len(data) > limits.total_bytes:
            if not any(problem.rule == "limit.total" for problem in self.problems):
                self.problems.append(Problem("limit.total", "more files or bytes than one scan reads", name))
            return False
        self.files[name] = data
        self.total += len(data)
        return True


def read_contents(target: Path, limits: Limits) -> Contents:
    """The files of a folder, an archive or a single file. Raises ``UsageFault`` when there is nothing there."""
    found = Contents()
    if target.is_dir():
        _read_folder(target, found, limits)
    elif target.is_file():
        data = _read_file(target, target.name, found, limits, limits.total_bytes // 2)
        if data is not None and not _open_archive(target.name, data, found, limits, 1, top=True):
            found.add(target.name, data, limits)
    else:
        raise UsageFault("nothing to scan here", where=str(target), remedy="pass a plugin's folder or archive")
    return found


def _read_folder(root: Path, found: Contents, limits: Limits) -> None:
    for path, entry in _walk(root, found):
        name = path.relative_to(root).as_posix()
        if _is_own_cache(path):
            continue
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            found.problems.append(Problem("file.link", "a symbolic link is not followed", name))
        elif not stat.S_ISREG(mode):
            found.problems.append(Problem("file.special", "neither a file nor a folder", name))
        else:
            data = _read_file(path, name, found, limits, limits.file_bytes * 16)
            if data is None:
                continue
            if not found.add(name, data, limits):
                return
            if not name.endswith((".py", ".pyi")):
                _open_archive(name, data, found, limits, 1)


def _is_own_cache(path: Path) -> bool:
    """Bytecode that an interpreter left beside its source: never packed, so not part of the plugin."""
    source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return path.parent.name == "__pycache__" and path.suffix == ".pyc" and source.is_file()


def _walk(root: Path, found: Contents) -> Iterator[tuple[Path, os.DirEntry[str]]]:
    queue = [root]
    while queue:
        folder = queue.pop()
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as reason:
            name = folder.relative_to(root).as_posix()
            found.problems.append(Problem("file.unreadable", f"cannot be read: {reason.strerror}", name))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and len(Path(entry.path).relative_to(root).parts) < 200:
                    queue.append(Path(entry.path))
            else:
                yield Path(entry.path), entry


def _read_file(path: Path, name: str, found: Contents, limits: Limits, most: int) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as stream:
            data = stream.read(most + 1)
    except OSError as reason:
        found.problems.append(Problem("file.unreadable", f"cannot be read: {reason.strerror}", name))
        return None
    if len(data) > most:
        found.problems.append(Problem("limit.file", "larger than a scan reads of one file", name))
        return None
    return data


def _open_archive(
    name: str, data: bytes, found: Contents, limits: Limits, depth: int, *, top: bool = False
) -> bool:
    """Read an archive's members as files of the tree; whether it was one."""
    kind = kind_by_magic(data)
    tarred = data[257:262] == b"ustar"
    if not (tarred or kind in {"zip", "gzip", "bzip2", "xz"}):
        return False
    if not top and name.endswith((".pt", ".pth", ".npz", ".keras", ".bin", ".ckpt")) and kind == "zip":
        depth = max(depth, limits.nesting)
    if depth > limits.nesting + 1:
        found.problems.append(Problem("limit.nesting", "archives nested deeper than a scan follows", name))
        return True
    prefix = "" if top else f"{name}!/"
    try:
        members = _zip(data, limits) if kind == "zip" else _tar(data, limits)
        for member, body in members:
            if body is None:
                found.problems.append(
                    Problem("archive.member", "not a regular file, or an unsafe path", prefix + member)
                )
                continue
            if not found.add(prefix + member, body, limits):
                return True
            if not member.endswith(".py"):
                _open_archive(prefix + member, body, found, limits, depth + 1)
    except _TooLarge:
        found.problems.append(Problem("limit.archive", "unpacks to more than a scan reads", name))
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ):
        if kind == "gzip" and not name.endswith((".tgz", ".tar.gz")):
            _open_gzip(prefix, name, data, (found, limits))
        else:
            found.problems.append(Problem("archive.broken", "an archive that cannot be read", name))
    except Exception as reason:  # noqa: BLE001 - lzma.LZMAError and whatever a hostile archive provokes: fail closed
        found.problems.append(
            Problem("archive.broken", f"an archive that cannot be read ({type(reason).__name__})", name)
        )
    return True


def _open_gzip(prefix: str, name: str, data: bytes, into: tuple[Contents, Limits]) -> None:
    """One compressed file: its content counts as a file of the tree."""
    found, limits = into
    try:
        body = zlib.decompressobj(31).decompress(data, limits.file_bytes * 4)
    except zlib.error:
        found.problems.append(Problem("archive.broken", "compressed data that cannot be read", name))
        return
    if len(body) >= limits.file_bytes * 4:
        found.problems.append(Problem("limit.archive", "unpacks to more than a scan reads", name))
        return
    inner = name.rpartition("/")[2].removesuffix(".gz") or "content"
    found.add(f"{prefix or name + '!/'}{inner}", body, limits)


class _TooLarge(Exception):
    pass


def _safe(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/") and "\\" not in name and "\0" not in name


def _zip(data: bytes, limits: Limits) -> Iterator[tuple[str, bytes | None]]:
    budget = limits.total_bytes
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if not _safe(info.filename) or stat.S_ISLNK(info.external_attr >> 16):
                yield info.filename, None
                continue
            with archive.open(info) as stream:
                body = stream.read(min(budget, limits.file_bytes * 16) + 1)
            budget -= len(body)
            if budget < 0 or len(body) > limits.file_bytes * 16:
                raise _TooLarge
            yield info.filename, body


def _tar(data: bytes, limits: Limits) -> Iterator[tuple[str, bytes | None]]:
    budget = limits.total_bytes
    count = 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
        for member in archive:
            count += 1
            if count > limits.files:
                raise _TooLarge
            if member.isdir():
                continue
            if member.size > limits.file_bytes * 16 or (budget := budget - member.size) < 0:
                raise _TooLarge
            stream = archive.extractfile(member) if member.isreg() and _safe(member.name) else None
            yield member.name, None if stream is None else stream.read()


def kind_by_magic(data: bytes) -> str | None:
    """The kind that the first bytes tell."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return "media"
    if (
        len(data) > 16
        and data[2:4] == b"\r\n"
        and data[:2] != b"\r\n"
        and data[3:4] == b"\n"
        and b"\0" in data[:16]
    ):
        return "compiled python"
    if re.match(rb"\x80[\x02-\x05]", data) and data.rstrip(b"\n")[-1:] == b".":
        return "pickle"
    return None


def classify(name: str, data: bytes) -> str:
    """What a file is, by content first and by name where content cannot tell."""
    last = name.rpartition("/")[2].lower()
    if last.endswith((".py", ".pyi", ".pyw")):
        return "python"
    if last.endswith((".pyc", ".pyo")):
        return "compiled python"
    kind = kind_by_magic(data)
    if kind in {"font", "image"} and len(data) < 16 and _is_text(data):
        kind = None
    if kind is not None and not (kind in {"media", "image"} and _is_text(data)):
        return kind
    if last.endswith((".pkl", ".pickle", ".joblib", ".dill")):
        return "pickle"
    if _is_safetensors(data):
        return "safetensors"
    if last.endswith(".onnx"):
        return "onnx"
    if not _is_text(data):
        return "empty" if not data else "unknown binary"
    return _text_kind(last, data)


_DATA_SUFFIXES = (
    ".md",
    ".rst",
    ".txt",
    ".csv",
    ".tsv",
    ".html",
    ".css",
    ".js",
    ".svg",
    ".xml",
    ".lock",
    ".jsonl",
    ".ndjson",
    ".po",
)


def _text_kind(last: str, data: bytes) -> str:
    if last.endswith(".ipynb"):
        return "notebook"
    if last.endswith(".pth"):
        return "path file"
    if last.endswith((".yaml", ".yml")):
        return "yaml"
    if last.endswith(".json"):
        return "json"
    if last.endswith((".toml", ".cfg", ".ini")):
        return "configuration"
    if re.match(rb"#!.*\b(ba|da|z|k|c)?sh\b", data):
        return "shell script"
    if last.endswith((".sh", ".bash", ".bat", ".cmd", ".ps1")):
        return "shell script"
    if last.endswith((".pyx", ".pxd", ".pxi", ".tp", ".c", ".cpp", ".cc", ".cu", ".h", ".hpp")):
        return "native source"
    if re.match(rb"#!.*python", data) or (not last.endswith(_DATA_SUFFIXES) and _looks_like_python(data)):
        return "python"
    return "text"


def _looks_like_python(data: bytes) -> bool:
    return bool(
        re.search(
            rb"^\s*(import \w|from [\w.]+ import |def \w+\(|class \w+|@\w|exec\(|eval\(|__import__)",
            data,
            re.MULTILINE,
        )
    )


def _is_text(data: bytes) -> bool:
    head = data[:_CHUNK]
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as reason:
        return reason.start > len(head) - 4 or (sum(byte > 126 or byte < 9 for byte in head) < len(head) * 0.3)
    return True


def _is_safetensors(data: bytes) -> bool:
    if len(data) < 10 or data[8:9] != b"{":
        return False
    size = int.from_bytes(data[:8], "little")
    if size > min(len(data) - 8, 100 << 20):
        return False
    try:
        return isinstance(json.loads(data[8 : 8 + size]), dict)
    except (ValueError, RecursionError):
        return False


_HARMLESS = frozenset(
    {
        "image",
        "media",
        "document",
        "parquet",
        "arrow",
        "numpy",
        "safetensors",
        "font",
        "text",
        "empty",
        "gguf",
        "json",
        "sqlite",
        "hdf5",
    }
)


def item(name: str, data: bytes, kind: str) -> Item:
    """The inventory's line for a file."""
    return Item(name, kind, kind not in _HARMLESS, len(data), sha256_bytes(data))
