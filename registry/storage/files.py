"""Objects as files of this machine; uploads come to the registry's own server."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from registry.errors import Refusal, invalid
from registry.storage import tokens
from registry.storage.interface import StorageFault, UploadTerms, UploadTicket

if TYPE_CHECKING:
    from typing_extensions import Self

ROUTE = "/storage/uploads"
_SECRET_BYTES = 32


class FileStorage:
    """Objects below ``root``. ``public_url`` is where the registry's server takes uploads."""

    def __init__(self, root: Path, public_url: str) -> None:
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._public_url = public_url.rstrip("/")
        for folder in (self._objects, self._incoming):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._incoming.iterdir():  # of a server that was killed: nobody finishes these
            left.unlink(missing_ok=True)
        self._secret = _kept_secret(root / "upload-secret")

    def ticket(self, terms: UploadTerms) -> UploadTicket:
        """A URL of this server with a signed token."""
        headers = {"Content-Type": terms.content_type}
        if terms.length is not None:
            headers["Content-Length"] = str(terms.length)
        if terms.sha256 is not None:
            headers["x-amz-checksum-sha256"] = b64encode(bytes.fromhex(terms.sha256)).decode()
        return UploadTicket(f"{self._public_url}{ROUTE}/{tokens.sign(terms, self._secret)}", headers)

    def receive(self, token: str, declared_length: int, most: int) -> Upload:
        """An upload that may go ahead. Raises a ``Refusal`` for a token or a length that is not right."""
        try:
            terms = tokens.verify(token, self._secret)
        except tokens.TokenRefused as reason:
            raise Refusal(403, "upload_refused", str(reason)) from None
        if terms.length is not None and declared_length != terms.length:
            raise invalid(f"the URL is for {terms.length} bytes, not {declared_length}; send what was announced")
        if declared_length > most:
            raise Refusal(413, "too_large", f"{declared_length} bytes; at most {most} are taken")
        if self._path(terms.key).exists():
            raise _taken()
        return Upload(terms, declared_length, self._incoming / secrets.token_hex(16), self._path(terms.key))

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO | None]:
        """The file."""
        try:
            stream = self._path(key).open("rb")
        except FileNotFoundError:
            yield None
            return
        except OSError as reason:
            raise StorageFault(f"the registry's files cannot be read: {reason.strerror}") from reason
        with stream:
            yield stream

    def keep(self, key: str, file: Path) -> None:
        """A copy, made beside its place and then linked to it."""
        path = self._path(key)
        if path.exists():
            return
        partial = self._incoming / secrets.token_hex(16)
        try:
            with file.open("rb") as source, partial.open("xb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                _settle(target)
            with suppress(FileExistsError):
                _place(partial, path)
        except OSError as reason:
            raise StorageFault(f"the registry cannot write its files: {reason.strerror}") from reason
        finally:
            partial.unlink(missing_ok=True)

    def remove(self, key: str) -> None:
        """Unlink."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as reason:
            raise StorageFault(f"the registry cannot remove a file: {reason.strerror}") from reason

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        # Keys are made by us from checked names; this guards against a mistake of ours, not a stranger's.
        assert all(part not in {"", ".", ".."} for part in parts), key
        return self._objects.joinpath(*parts)


class Upload:
    """Bytes on their way in. A context: what is not finished leaves nothing."""

    def __init__(self, terms: UploadTerms, length: int, partial: Path, place: Path) -> None:
        self._terms, self._length = terms, length
        self._partial, self._place = partial, place
        self._digest = hashlib.sha256()
        self._size = 0
        with _explained():
            self._stream = partial.open("xb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._stream.close()
        self._partial.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Take some bytes. Raises a ``Refusal`` for more than were announced, or when the disk is full."""
        self._size += len(data)
        if self._size > self._length:
            raise invalid(f"more than the announced {self._length} bytes came; begin the upload again")
        self._digest.update(data)
        with _explained():
            self._stream.write(data)

    @property
    def sha256(self) -> str:
        """SHA-256 of what came."""
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Make it an object. Raises a ``Refusal`` when it is not what was announced, or its key is taken (412)."""
        if self._size != self._length:
            raise invalid(f"{self._size} of {self._length} bytes came; send the file again to the same URL")
        if self._terms.sha256 is not None and self.sha256 != self._terms.sha256:
            raise invalid("the bytes differ from the announced SHA-256; send the file again", type="checksum")
        with _explained():
            _settle(self._stream)
            try:
                _place(self._partial, self._place)
            except FileExistsError:
                raise _taken() from None


def _taken() -> Refusal:
    return Refusal(412, "already_uploaded", "the object is there already; go on to confirm")


def _settle(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _place(partial: Path, path: Path) -> None:
    """Give finished bytes their name; of two who try, one gets ``FileExistsError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(partial, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        full = reason.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        message = "the registry's disk is full" if full else f"the registry cannot write: {reason.strerror}"
        raise Refusal(
            507, "storage_full" if full else "storage", f"{message}; nothing was kept, try again later"
        ) from reason


def _kept_secret(file: Path) -> bytes:
    """The secret of this registry, made at the first start."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes()
    with os.fdopen(handle, "wb") as stream:
        stream.write(secrets.token_bytes(_SECRET_BYTES))
        _settle(stream)
    return file.read_bytes()
