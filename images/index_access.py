"""How the package index is reached over HTTP, and what its failures mean."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from images.environment import certificate_file, index_url
from images.requirement_sources import redact
from toolchain.core.errors import DownloadCorrupt, MixpeekError, NetworkUnavailable

if TYPE_CHECKING:
    import httpx

    from images.pylock import LockedWheel

_TIMEOUT_SECONDS = 30.0


def open_client() -> httpx.Client:
    """A client that trusts what the user trusts and sends the index's credentials to the index only."""
    import ssl

    import httpx

    bundle = certificate_file()
    context = ssl.create_default_context(cafile=bundle)
    return httpx.Client(
        verify=context,
        auth=_index_credentials,
        follow_redirects=True,
        timeout=httpx.Timeout(_TIMEOUT_SECONDS),
        headers={"User-Agent": "mixpeek", "Accept-Encoding": "identity"},
    )


def _index_credentials(request: httpx.Request) -> httpx.Request:
    import httpx

    index = urlsplit(index_url() or "")
    same_place = (request.url.scheme, request.url.host, request.url.port) == (
        index.scheme,
        index.hostname,
        index.port,
    )
    if index.username and same_place:
        login = httpx.BasicAuth(index.username, index.password or "")
        return next(login.auth_flow(request))
    return request


def failure(reason: httpx.HTTPError, wheel: LockedWheel) -> NetworkUnavailable:
    """The error for a connection that could not be made or broke off; what came so far is kept."""
    return NetworkUnavailable(
        f"{wheel.filename} could not be downloaded: {reason or type(reason).__name__}",
        where=redact(wheel.url),
        remedy="check the network and HTTPS_PROXY, then run the same command: it continues where it stopped",
    )


def status_failure(status: int, wheel: LockedWheel) -> MixpeekError:
    """The error for an answer that is not the file."""
    where = redact(wheel.url)
    if status in (404, 410):
        return DownloadCorrupt(
            f"the index no longer has {wheel.filename}, which the lock names",
            where=where,
            remedy="make a new lock with `mixpeek plugin build --upgrade`",
        )
    if status in (401, 403):
        return NetworkUnavailable(
            f"the index refuses to hand out {wheel.filename} (HTTP {status})",
            where=where,
            remedy="put user and password into MIXPEEK_INDEX_URL (https://user:password@host/simple)",
        )
    return NetworkUnavailable(f"the index answered HTTP {status}", where=where, remedy="try again later")
