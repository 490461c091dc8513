"""Puts a file where a presigned URL says: as a stream of fixed memory, with its length, without our API key."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urljoin, urlsplit

from toolchain.publish.client.errors import UploadExpired, UploadFailed
from toolchain.publish.client.retry import Attempts
from toolchain.publish.client.transport import Connection, open_client, origin, redacted

if TYPE_CHECKING:
    import httpx

_CHUNK: Final = 1 << 20  # costs as little as curl does; 64 KiB cost three times that
_REDIRECTS: Final = 3
_ALREADY_THERE: Final = 412
_BODY_LIMIT: Final = 64 << 10
# The server read less than it was to get, so it kept nothing: another attempt can only help.
_RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class PutOrder:
    """What to put where. ``headers`` are those the server asked for; ``sha256`` is of the file, hexadecimal."""

    url: str = field(repr=False)
    file: Path
    sha256: str
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Stored:
    """An object that is there: its ETag if the server told it, and whether it was there before."""

    etag: str | None
    was_there: bool
    bytes: int
    seconds: float


def put_file(
    order: PutOrder,
    connection: Connection,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Stored:
    """Store the file; ``progress`` gets bytes sent, bytes in all and seconds.

    A 412 to a request that must create means that the object is there. Every attempt, after a redirect too, opens
    the file anew. Raises ``UploadExpired`` for a URL whose time is over and ``UploadFailed`` for every other end.
    """
    try:
        origin(order.url)
    except ValueError:
        raise _no_url(order.url) from None
    if _is_encrypted(connection.base_url) and not _is_encrypted(order.url):
        where = redacted(order.url)
        raise UploadFailed("the server names an unencrypted place for the upload", where=where, remedy=_REPORT)
    size = order.file.stat().st_size
    attempts = Attempts(connection.retry, sleep, repeat=True)
    started = time.monotonic()
    with open_client(connection, order.url) as client:
        while True:
            outcome = _attempt(client, order, size, progress)
            if isinstance(outcome, Exception):
                if not attempts.again_after(outcome):
                    raise _broken(order, outcome, attempts.made) from None
            elif not (outcome[0] in _RETRIED and attempts.again(503, outcome[1].get("retry-after"))):
                return _stored(order, outcome, size, time.monotonic() - started)


_Answer = tuple[int, Mapping[str, str], bytes]


def signed_headers(url: str) -> frozenset[str]:
    """The headers that a presigned URL (AWS signature 4) was signed with, in lower case; empty for other URLs."""
    query = {key.lower(): values for key, values in parse_qs(urlsplit(url).query).items()}
    return frozenset(query.get("x-amz-signedheaders", [""])[0].lower().split(";")) - {""}


def _headers(order: PutOrder, size: int) -> dict[str, str]:
    """What S3 and its kin compare with the signature; an x-amz header that was not signed would be refused."""
    signed = signed_headers(order.url)
    headers = {"Content-Length": str(size), "Content-Type": order.content_type}
    if "if-none-match" in signed:
        headers["If-None-Match"] = "*"
    if "x-amz-checksum-sha256" in signed:
        headers["x-amz-checksum-sha256"] = base64.b64encode(bytes.fromhex(order.sha256)).decode()
    taken = {name.lower() for name in order.headers}
    kept = {name: value for name, value in headers.items() if name.lower() not in taken}
    asked = {name: value for name, value in order.headers.items() if name.lower() not in _NEVER}
    return {**kept, **asked, "Content-Length": str(size)}


# What a server may not make us send: it frames the request, or names who we are.
_NEVER: Final = frozenset({"content-length", "transfer-encoding", "connection", "host", "authorization", "cookie"})


def _attempt(
    client: httpx.Client, order: PutOrder, size: int, progress: Progress | None
) -> _Answer | httpx.TransportError:
    import httpx

    try:
        url = order.url
        for _ in range(_REDIRECTS + 1):
            answer = _put(client, url, order, size, progress)
            location = answer[1].get("location")
            if answer[0] not in {307, 308} or not location:
                return answer
            url = _next(url, location)
    except httpx.TransportError as reason:
        return reason
    except httpx.InvalidURL:
        raise _no_url(order.url) from None
    raise UploadFailed("too many redirects", where=redacted(order.url), remedy=_REPORT)


_REPORT: Final = "report it to whoever runs the server"


def _no_url(url: str) -> UploadFailed:
    return UploadFailed("the server gave no URL that can be used", where=redacted(url), remedy=_REPORT)


def _next(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        origin(target)
    except ValueError:
        raise _no_url(url) from None
    if _is_encrypted(url) and not _is_encrypted(target):
        raise UploadFailed("the upload is redirected to an unencrypted place", where=redacted(url), remedy=_REPORT)
    return target


def _is_encrypted(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _put(client: httpx.Client, url: str, order: PutOrder, size: int, progress: Progress | None) -> _Answer:
    content = _pieces(order.file, size, progress)
    with client.stream("PUT", url, content=content, headers=_headers(order, size)) as response:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > _BODY_LIMIT:
                break
    return response.status_code, {k.lower(): v for k, v in response.headers.items()}, bytes(body)


def _pieces(file: Path, size: int, progress: Progress | None) -> Iterator[bytes]:
    started, sent = time.monotonic(), 0
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        while sent < size and (piece := stream.read(min(_CHUNK, size - sent))):
            yield piece
            sent += len(piece)
            if progress is not None:
                progress(sent, size, time.monotonic() - started)


def _stored(order: PutOrder, answer: _Answer, size: int, seconds: float) -> Stored:
    status, headers, body = answer
    where = redacted(order.url)
    if 200 <= status < 300:
        return Stored(headers.get("etag"), False, size, seconds)
    if status == _ALREADY_THERE:
        return Stored(headers.get("etag"), True, size, seconds)
    told = _told(body)
    if status in {400, 401, 403} and ("expired" in told.lower() or "accessdenied" in told.lower()):
        raise UploadExpired(f"the upload URL is not valid (any more): {told}", where=where, remedy=_AGAIN)
    if status in {401, 403, 410}:
        raise UploadExpired(
            f"the store refuses the upload (HTTP {status}) {told}".rstrip(), where=where, remedy=_AGAIN
        )
    if status == 413:
        raise UploadFailed("the archive is too large for the store", where=where, remedy="make the plugin smaller")
    raise UploadFailed(f"the store answered HTTP {status} {told}".rstrip(), where=where, remedy=_AGAIN)


_AGAIN: Final = "run the same command again; it asks for a new URL"


def _told(body: bytes) -> str:
    """What an S3 error document says in words: its code and message, without the signature it may repeat."""
    text = body.decode(errors="replace")
    found = []
    for name in ("Code", "Message"):
        start, end = text.find(f"<{name}>"), text.find(f"</{name}>")
        if 0 <= start < end:
            found.append(text[start + len(name) + 2 : end][:200])
    return ": ".join(found)


def _broken(order: PutOrder, reason: Exception, attempts: int) -> UploadFailed:
    return UploadFailed(
        f"the upload broke off {attempts} times: {reason or type(reason).__name__}",
        where=redacted(order.url),
        remedy="check the network, then run the same command: it goes on where it stopped",
    )
