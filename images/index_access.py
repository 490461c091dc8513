"""How the package index is reached over HTTP, and what its failures mean."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from images.environment import certificate_file, index_url
from images.requirement_sources import redact
from toolchain.core.errors import DownloadCorrupt, MixpeekError, NetworkUnavailable

if TYPE_CHECKING:
    import urllib3
    from typing_extensions import Self
    from urllib3.exceptions import HTTPError

    from images.pylock import LockedWheel

# Past eight the index answered no faster (87 MB in 10 wheels); one connection took twice as long.
CONNECTIONS: Final = 8
_TIMEOUT_SECONDS: Final = 30.0
_REDIRECTS: Final = 10
_CHUNK: Final = 1 << 18
# How an error of urllib3 names the connection that it happened on, before it says what happened.
_CONNECTION: Final = re.compile(r"^(<[^>]*>|\w+\([^)]*\)): ")


@dataclass(frozen=True)
class Answer:
    """An answer of a server: its status, and its body as it comes."""

    status: int
    body: Iterator[bytes]


class IndexClient:
    """Gets files, from any thread; trusts what the user trusts, and takes the proxies that the user named.

    urllib3 and not httpx, which needs twice the processor time for a file: 0.16 s for 55 MB.
    """

    def __init__(self) -> None:
        import ssl

        import urllib3

        self._settings: dict[str, Any] = {
            "ssl_context": ssl.create_default_context(cafile=certificate_file()),
            "timeout": urllib3.Timeout(_TIMEOUT_SECONDS),
            "maxsize": CONNECTIONS,
            "retries": urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=_REDIRECTS),
        }
        self._managers: dict[str | None, urllib3.PoolManager] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self._managers.values():
            manager.clear()

    @contextmanager
    def get(self, url: str, start: int = 0) -> Iterator[Answer]:
        """The file at ``url`` from byte ``start`` on, if the server can do that: then the status is 206.

        Raises ``urllib3.exceptions.HTTPError``, also from the body.
        """
        headers = {"User-Agent": "mixpeek", "Accept-Encoding": "identity", **_login(url)}
        if start:
            headers["Range"] = f"bytes={start}-"
        response = self._manager(url).request("GET", url, headers=headers, preload_content=False)
        try:
            yield Answer(response.status, response.stream(_CHUNK, decode_content=False))
        finally:
            response.close()

    def _manager(self, url: str) -> urllib3.PoolManager:
        proxy = _proxy(url)
        if proxy not in self._managers:
            self._managers[proxy] = _make_manager(proxy, self._settings)
        return self._managers[proxy]


def _make_manager(proxy: str | None, settings: dict[str, Any]) -> urllib3.PoolManager:
    import urllib3

    if proxy is None:
        return urllib3.PoolManager(**settings)
    parts = urlsplit(proxy)
    headers = _basic("Proxy-Authorization", parts.username, parts.password)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for ``url``."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _login(url: str) -> dict[str, str]:
    """The index's credentials, for the index only: urllib3 takes them out when it is sent on to another host."""
    index, parts = urlsplit(index_url() or ""), urlsplit(url)
    if (parts.scheme, parts.hostname, parts.port) != (index.scheme, index.hostname, index.port):
        return {}
    return _basic("Authorization", index.username, index.password)


def _basic(header: str, user: str | None, password: str | None) -> dict[str, str]:
    if not user:
        return {}
    login = f"{unquote(user)}:{unquote(password or '')}"
    return {header: f"Basic {base64.b64encode(login.encode()).decode()}"}


def failure(reason: HTTPError, wheel: LockedWheel) -> NetworkUnavailable:
    """The error for a connection that could not be made or broke off; what came so far is kept."""
    cause: Any = reason
    while isinstance(inner := getattr(cause, "reason", None), Exception):
        cause = inner
    words = _CONNECTION.sub("", str(cause)) or type(cause).__name__
    return NetworkUnavailable(
        f"{wheel.filename} could not be downloaded: {words}",
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
