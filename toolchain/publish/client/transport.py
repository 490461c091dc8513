"""The one place that speaks HTTP. The API key goes to the API's own origin and nowhere else."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from toolchain import __version__
from toolchain.core.errors import UsageFault
from toolchain.publish.client.errors import AnswerMalformed, ServerUnavailable
from toolchain.publish.client.retry import Attempts, Retry

if TYPE_CHECKING:
    import httpx
    from typing_extensions import Self

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ANSWER_LIMIT: Final = 32 << 20
_REDIRECTS: Final = 3
_HIDDEN: Final = "***"


def _no_proxy(_url: str) -> str | None:
    return None


@dataclass(frozen=True)
class Connection:
    """Where the API is and how to reach it.

    ``certificates`` is a file of authorities to trust in place of the system's; ``proxy_for`` names the HTTP proxy
    for a URL, if any; ``connect_seconds`` and ``read_seconds`` bound each wait.
    """

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    certificates: str | None = None
    proxy_for: Callable[[str], str | None] = field(default=_no_proxy, repr=False)
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    retry: Retry = field(default_factory=Retry)


@dataclass(frozen=True)
class Reply:
    """An answer: HTTP's status, its headers in lower case, and its body's bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self, where: str) -> Any:
        """The decoded body; an empty one is an empty object. Raises ``AnswerMalformed``."""
        if not self.body.strip():
            return {}
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise AnswerMalformed(
                f"HTTP {self.status} with an answer that is no JSON",
                where=where,
                remedy="check --base-url: it must be the API's address, as https://api.mixpeek.com",
            ) from None

    def try_json(self) -> Any:
        """The decoded body, or its text where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return self.body[:400].decode(errors="replace") if b"<" not in self.body[:80] else ""


class Transport:
    """Requests to the API, retried as far as that is safe."""

    def __init__(self, connection: Connection, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises ``UsageFault`` for an address to which a key must not be sent."""
        self._connection = connection
        self._base = checked_base(connection.base_url)
        self._sleep = sleep
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def connection(self) -> Connection:
        """How the API is reached."""
        return self._connection

    def request(self, method: str, path: str, **options: Any) -> Reply:
        """One request: ``path`` is below the base URL; ``json``, ``params`` and ``headers`` are httpx's own.

        ``repeat`` (default: for GET, PUT and DELETE) says that sending it twice does no harm. Answers of any
        status are returned; ``ServerUnavailable`` is raised when there is none.
        """
        repeat = options.pop("repeat", method in {"GET", "PUT", "DELETE"})
        where = f"{method} {self._base}{path}"
        attempts = Attempts(self._connection.retry, self._sleep, repeat=repeat)
        while True:
            reply, reason = self._once(method, self._base + path, options)
            if reply is not None and not attempts.again(reply.status, reply.headers.get("retry-after")):
                return reply
            if reason is not None and not attempts.again_after(reason):
                raise _unreachable(where, reason, attempts.made) from None

    def _once(self, method: str, url: str, options: dict[str, Any]) -> tuple[Reply | None, Exception | None]:
        import httpx

        try:
            return self._followed(method, url, options), None
        except httpx.TransportError as reason:
            return None, reason

    def _followed(self, method: str, url: str, options: dict[str, Any]) -> Reply:
        for _ in range(_REDIRECTS + 1):
            reply = self._send(method, url, options)
            if reply.status not in {307, 308} or "location" not in reply.headers:
                return reply
            url = self._same_origin(url, reply.headers["location"])
        raise AnswerMalformed("too many redirects", where=url, remedy="check --base-url")

    def _same_origin(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            place = origin(target)
        except ValueError:  # a port or an address that is none
            raise AnswerMalformed("the API redirects to nowhere", where=url, remedy="check --base-url") from None
        if place != origin(self._base):
            raise AnswerMalformed(
                f"the API redirects to another place, {place}, which must not see your key",
                where=url,
                remedy="if the API has moved there, set --base-url to it yourself",
            )
        return target

    def _send(self, method: str, url: str, options: dict[str, Any]) -> Reply:
        client = self._opened()
        headers = {**self._authorization(), **(options.get("headers") or {})}
        more = {key: value for key, value in options.items() if key != "headers"}
        with client.stream(method, url, headers=headers, **more) as response:
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _ANSWER_LIMIT:
                    raise AnswerMalformed("the answer is too large", where=url, remedy="check --base-url")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, self._without_key(bytes(body)))

    def _without_key(self, body: bytes) -> bytes:
        """A server that repeats the key in its answer does not get it shown."""
        key = self._connection.api_key
        return body.replace(key.encode(), _HIDDEN.encode()) if key else body

    def _authorization(self) -> dict[str, str]:
        key = self._connection.api_key
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _opened(self) -> httpx.Client:
        if self._client is None:
            self._client = open_client(self._connection, self._base)
        return self._client


def open_client(connection: Connection, url: str) -> httpx.Client:
    """A client for ``url`` that follows nothing and reads no environment, so that no key joins by itself."""
    import httpx

    return httpx.Client(
        verify=ssl.create_default_context(cafile=connection.certificates),
        proxy=connection.proxy_for(url),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(connection.read_seconds, connect=connection.connect_seconds),
        headers={"User-Agent": f"mixpeek/{__version__}", "Accept": "application/json"},
    )


def checked_base(base_url: str) -> str:
    """The base URL without its last slash. Raises ``UsageFault`` for one that would expose the key."""
    remedy = "write https://HOST; plain http is for this machine only"
    try:
        parts = urlsplit(base_url)
        origin(base_url)
    except ValueError:
        raise UsageFault("the base URL has an address or a port that is none", remedy=remedy) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageFault(f"{redacted(base_url)!r} is no base URL", remedy=remedy)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageFault("the base URL has a user, a query or a fragment", where=redacted(base_url), remedy=remedy)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        message = "the API key would travel unencrypted"
        raise UsageFault(message, where=redacted(base_url), remedy=remedy)
    return base_url.rstrip("/")


def origin(url: str) -> str:
    """Scheme, host and port of a URL. Raises ``ValueError`` for an address or a port that is none."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def redacted(url: str) -> str:
    """A URL fit to be shown: without user and without what a query may grant."""
    try:
        parts = urlsplit(url)
        origin(url)
    except ValueError:
        return "(no URL)"
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}" + (f"?{_HIDDEN}" if parts.query else "")


def _unreachable(where: str, reason: Exception, attempts: int) -> ServerUnavailable:
    times = f" ({attempts} attempts)" if attempts > 1 else ""
    return ServerUnavailable(
        f"the server could not be reached, or broke off: {reason or type(reason).__name__}{times}",
        where=where,
        remedy="check the network and --base-url, then run the same command: it goes on where it stopped",
    )
