"""RECORD, a wheel's own list of its files and their digests, read line by line.

A few bytes of a zip unpack to millions of short lines, so of none of them more is held than the wheel has files.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Collection, Iterable, Iterator
from typing import Final

# A name of 1024 characters takes 4 KiB in UTF-8, twice that if it is made of quotation marks, then come 60 bytes.
_LINE_LIMIT: Final = 16 << 10
# One line for each file is what honest wheels have; the rest is for those that list what they then do not bring.
_LINES_FOR_A_FILE: Final = 4
_LINES_FREE: Final = 1000


class RecordFault(Exception):
    """RECORD cannot be read; ``args[0]`` says why, as the end of a sentence that begins with "its RECORD"."""


def digests(chunks: Iterable[bytes], names: Collection[str]) -> dict[str, str | None]:
    """RECORD's rows about ``names``, the files that the wheel has: each with its SHA-256 in hexadecimal.

    ``None`` stands for a digest of another kind, or none. Of two rows about one file the first counts. Raises
    ``RecordFault``, and what ``chunks`` raise.
    """
    found: dict[str, str | None] = {}
    most = _LINES_FREE + _LINES_FOR_A_FILE * len(names)
    for number, line in enumerate(_lines(chunks), start=1):
        if number > most:
            raise RecordFault(f"has more than {most} lines for {len(names)} files")
        row = _row(line)
        if len(row) >= 2 and row[0] in names and row[0] not in found:
            found[row[0]] = _sha256(row[0], row[1])
    return found


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
        if len(rest) > _LINE_LIMIT:
            break  # the end of a line that is too long already
    yield rest


def _row(line: bytes) -> list[str]:
    """One line is one row: a name with a line's end in it is not one that we install."""
    if len(line) > _LINE_LIMIT:
        raise RecordFault(f"is no table: it has a line of more than {_LINE_LIMIT} bytes")
    try:
        return next(csv.reader([line.decode().removesuffix("\r")]), [])
    except UnicodeDecodeError:
        raise RecordFault("is not UTF-8") from None
    except csv.Error as reason:
        raise RecordFault(f"is no table: {reason}") from None


def _sha256(path: str, written: str) -> str | None:
    algorithm, _, value = written.partition("=")
    if algorithm != "sha256":
        # PEP 427 asks for sha256 or better. Stronger ones are rare; the wheel's own SHA-256 covers the bytes.
        return None
    try:
        return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).hex()
    except ValueError:
        raise RecordFault(f"has a digest of {path!r} that cannot be read") from None
