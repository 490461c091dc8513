"""Reads a wheel as what it is: a zip from a stranger. Nothing in it is executed, and little of it is believed."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

from images.inflating import DAMAGE, METHODS, unpacked
from images.layout import PRIVATE_MODULES, WHITEOUT
from images.record import RecordFault, digests
from images.zip_table import BoundedReader, TableTooLarge
from toolchain.core.errors import DependencyFault

# The largest wheels on the index hold about 20,000 files; CUDA libraries unpack to 1.2 GB at a ratio of 2 to 3.
_COUNT_LIMIT: Final = 100_000
_SIZE_LIMIT: Final = 8 << 30
_RATIO_LIMIT: Final = 100
_RATIO_FREE: Final = 64 << 20  # tables of zeros compress well: a ratio alone condemns nothing small
_NAME_LIMIT: Final = 1024
# ansible, with 21,500 files the largest, needs 3,100 folders, 11 deep. In a layer each costs a header of 512 bytes
# or more, in the zip next to nothing.
_DEPTH_LIMIT: Final = 32
_FOLDER_LIMIT: Final = 20_000
_TABLE_LIMIT: Final = 32 << 20  # 320 bytes for each of the largest count of files
# A line of RECORD holds a name and 60 bytes: about 100 bytes for a file, 138 in ansible (measured).
_RECORD_FREE: Final = 64 << 10
_RECORD_FOR_A_FILE: Final = 1200
_DESCRIPTIONS: Final = (".dist-info", ".egg-info")
_UNRECORDED: Final = ("RECORD", "RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True)
class WheelFile:
    """One file: its place under the installation root, its entry in the zip, and its promised digest."""

    path: str
    entry: zipfile.ZipInfo
    executable: bool
    sha256: str | None


class Wheel:
    """An opened wheel whose table of contents has been checked.

    ``files`` are what is installed, ``left_out`` the names of what is not: path files (``.pth``), which would run
    code, and bytecode in the place of a source, which nothing could compare with one.
    """

    def __init__(self, archive: zipfile.ZipFile, filename: str) -> None:
        self._archive = archive
        self.filename = filename
        entries = self._entries()
        record = self._record(entries)
        self.left_out: list[str] = []
        files = [self._file(entry, record) for entry in entries]
        self.files = sorted((file for file in files if file is not None), key=lambda file: file.path)
        self._check_places()

    def chunks(self, file: WheelFile) -> Iterator[bytes]:
        """The file's bytes, at most 1 MiB at a time.

        Raises ``DependencyFault``, at the end at the latest, when they are not those of the table or of RECORD.
        """
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in unpacked(self._archive, file.entry):
                size += len(chunk)
                if size > file.entry.file_size:
                    break
                digest.update(chunk)
                yield chunk
        except DAMAGE as reason:
            raise self._refusal(f"{file.path} is damaged: {reason}") from reason
        if size != file.entry.file_size:
            raise self._refusal(f"{file.path} has another length than its table of contents says")
        if file.sha256 is not None and digest.hexdigest() != file.sha256:
            raise self._refusal(f"{file.path} differs from the digest in its RECORD")

    def read(self, file: WheelFile) -> bytes:
        """The bytes of a file that is known to be small in one piece, checked as ``chunks`` does."""
        return b"".join(self.chunks(file))

    def _entries(self) -> list[zipfile.ZipInfo]:
        listed = self._archive.infolist()
        length = self._length()
        if any(not entry.filename or not 0 <= entry.header_offset < length for entry in listed):
            raise self._refusal("its table of contents is damaged")
        entries = [entry for entry in listed if not entry.is_dir()]
        packed = sum(entry.compress_size for entry in entries)
        size = sum(entry.file_size for entry in entries)
        if size > _SIZE_LIMIT:
            raise self._refusal(f"it unpacks to {size >> 20} MiB, more than {_SIZE_LIMIT >> 20}")
        if size > _RATIO_FREE and size > _RATIO_LIMIT * max(packed, 1):
            raise self._refusal(f"it unpacks to {size // max(packed, 1)} times its size, as zip bombs do")
        if packed > length:
            raise self._refusal("its files overlap, as zip bombs do")
        for entry in entries:
            self._check_entry(entry)
        return entries

    def _length(self) -> int:
        """The archive's length in bytes, of the file that is open and not of one that took its name since."""
        if self._archive.fp is None:
            raise self._refusal("it is closed")
        return os.fstat(self._archive.fp.fileno()).st_size

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        parts = name.split("/")
        if "\\" in name or "\0" in name or name.startswith("/") or len(name) > _NAME_LIMIT:
            raise self._refusal(f"{name[:80]!r} is not a relative path")
        if any(part.startswith(WHITEOUT) for part in parts):
            raise self._refusal(f"{name[:80]!r} would remove another file from an image")
        if any(part in ("", ".", "..") for part in parts) or any(ord(char) < 32 for char in name):
            raise self._refusal(f"{name[:80]!r} leaves the wheel or hides its place")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise self._refusal(f"{name!r} is a link or a device, not a file")
        if entry.flag_bits & 0x1 or entry.compress_type not in METHODS:
            raise self._refusal(f"{name!r} is encrypted or packed in a way that wheels do not use")

    def _record(self, entries: list[zipfile.ZipInfo]) -> dict[str, str | None]:
        """RECORD as path → hexadecimal SHA-256; ``None`` for the files that cannot be in it."""
        tables = [entry for entry in entries if entry.filename.endswith(".dist-info/RECORD")]
        tables = [entry for entry in tables if entry.filename.count("/") == 1]
        if len(tables) != 1:
            raise self._refusal(f"it has {len(tables)} RECORD files where one is needed")
        if tables[0].file_size > (most := max(_RECORD_FREE, _RECORD_FOR_A_FILE * len(entries))):
            raise self._refusal(f"its RECORD is larger than {most >> 10} KiB, and it holds {len(entries)} files")
        folder = tables[0].filename.rpartition("/")[0]
        unrecorded: dict[str, str | None] = {f"{folder}/{name}": None for name in _UNRECORDED}
        table = WheelFile(tables[0].filename, tables[0], executable=False, sha256=None)
        try:
            names = {entry.filename for entry in entries} - unrecorded.keys()
            return digests(self.chunks(table), names) | unrecorded
        except RecordFault as reason:
            raise self._refusal(f"its RECORD {reason}") from reason

    def _file(self, entry: zipfile.ZipInfo, record: dict[str, str | None]) -> WheelFile | None:
        if entry.filename not in record:
            raise self._refusal(f"{entry.filename!r} is not in its RECORD")
        path, in_scripts = _install_path(entry.filename)
        if path is None or "__pycache__" in path.split("/"):
            # Bytecode from outside could differ from the source beside it; the image's own interpreter makes it.
            return None
        # An interpreter runs the lines of a path file at every start. Ours is started without (-S), yet a plugin
        # may start one otherwise. Bytecode without a source is imported, and no scan can read it. Honest wheels
        # bring both (setuptools the first, vendors the second), so the wheel itself cannot be refused.
        if path.endswith(".pyc") or ("/" not in path and path.endswith(".pth")):
            self.left_out.append(path)
            return None
        executable = in_scripts or bool((entry.external_attr >> 16) & 0o111)
        return WheelFile(path, entry, executable, record[entry.filename])

    def _check_places(self) -> None:
        seen: set[str] = set()
        for file in self.files:
            if file.path in seen:
                raise self._refusal(f"{file.path!r} is in it twice")
            seen.add(file.path)
            top = file.path.partition("/")[0].removesuffix(".py")
            if top.endswith(_DESCRIPTIONS) and _package(top) != _package(self.filename):
                # Whoever asks which version of a package is installed would read this one's word.
                raise self._refusal(f"{top!r} in it speaks for another package")
            if top in PRIVATE_MODULES:
                raise self._refusal(f"it brings a module {top!r}, which belongs to the platform")
        if both := seen & self._folders():
            raise self._refusal(f"{min(both)!r} is a file and a folder in it")

    def _folders(self) -> set[str]:
        """The folders that its files need. They are counted before their names are made."""
        folders: set[str] = set()
        above: list[str] = []
        for file in self.files:  # sorted, so what is in one folder follows each other
            parts = file.path.split("/")[:-1]
            if len(parts) > _DEPTH_LIMIT:
                raise self._refusal(f"{file.path[:80]!r} lies {len(parts)} folders deep, more than {_DEPTH_LIMIT}")
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(parts, above, strict=False)))
            if len(folders) + len(parts) - shared > _FOLDER_LIMIT:
                raise self._refusal(f"it needs more than {_FOLDER_LIMIT} folders")
            folders.update("/".join(parts[:depth]) for depth in range(shared + 1, len(parts) + 1))
            above = parts
        return folders

    def _refusal(self, what: str) -> DependencyFault:
        return refusal(self.filename, what)


@contextmanager
def open_wheel(path: Path, filename: str) -> Iterator[Wheel]:
    """Open and check a wheel. Raises ``DependencyFault`` when it is not one that we install."""
    with BoundedReader(path, _COUNT_LIMIT, _TABLE_LIMIT) as file:
        try:
            archive = zipfile.ZipFile(file)
        except TableTooLarge as reason:
            raise refusal(filename, str(reason)) from reason
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as reason:
            raise refusal(filename, f"it is not a zip archive ({reason})") from reason
        with archive:
            yield Wheel(archive, filename)


def refusal(filename: str, what: str) -> DependencyFault:
    """The error for a wheel that is not installed; ``what`` says why."""
    return DependencyFault(
        f"{filename} is refused: {what}", remedy="choose another version of the package, and tell its authors"
    )


def _package(name: str) -> str:
    """The package that a wheel's file name, or the folder with its description, names."""
    from packaging.utils import canonicalize_name

    return canonicalize_name(Path(name).stem.partition("-")[0])


def _install_path(name: str) -> tuple[str | None, bool]:
    """Where PEP 427 puts ``name``, relative to the installation root, and whether it is a script.

    Everything of ``<name>.data`` comes under the same root, as installers do with a target folder.
    """
    first, _, rest = name.partition("/")
    if first.endswith(".data") and rest:
        scheme, _, below = rest.partition("/")
        if scheme in ("purelib", "platlib", "data"):
            return (below or None), False
        if scheme == "scripts":
            return f"bin/{below}", True
        return None, False  # headers serve compilers, and there is none
    return name, False
