"""What the registry asks of a store of objects."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol


class StorageFault(Exception):
    """The store does not answer, or has no room: nothing is known of the object."""


@dataclass(frozen=True)
class UploadTerms:
    """What an upload must be: its key, the seconds in which it may begin, and length and SHA-256 where told."""

    key: str
    seconds: int
    content_type: str
    length: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class UploadTicket:
    """A URL that takes one PUT under its terms, and the headers that it must come with."""

    url: str
    headers: Mapping[str, str]


class Storage(Protocol):
    """Objects by key. A key is written once; nothing is ever changed in place.

    Every method raises ``StorageFault`` when the store cannot be asked.
    """

    def ticket(self, terms: UploadTerms) -> UploadTicket:
        """A signed URL for a stranger's upload."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO | None]:
        """A context with the object's bytes as a stream; with ``None`` when there is no such object."""
        ...

    def keep(self, key: str, file: Path) -> None:
        """Store a file of ours under ``key``; nothing happens when the key is taken: keys name their content."""
        ...

    def remove(self, key: str) -> None:
        """Remove an object; one that is not there is as good as removed."""
        ...
