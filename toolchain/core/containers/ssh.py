"""Docker's API through `ssh HOST docker system dial-stdio`, with real time limits.

The SDK's own ssh transport needs paramiko and reads a pipe without any limit: a hung host hangs the caller for
ever. Here ssh's standard input and output are one end of a socket pair, so the other end is an ordinary socket
with ordinary time limits.
"""

from __future__ import annotations

import socket
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from docker import DockerClient
from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from toolchain.core.errors import EngineUnavailable, SettingsFault

if TYPE_CHECKING:
    from requests import PreparedRequest

_LEAVE_SECONDS = 2.0


def ssh_argv(address: str) -> list[str]:
    """The ssh call for ``ssh://[user@]host[:port]``; ``SettingsFault`` for anything else in the address.

    A host that begins with ``-`` would be read as an option (CVE-2017-1000117), hence the ``--``.
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as reason:
        raise _refused(address, str(reason)) from reason
    # Not ``parts.hostname``, which is in lower case: the names in an ssh configuration are as written.
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}").strip("[]")
    if not parts.hostname:
        raise _refused(address, "it names no host")
    if parts.path.strip("/") or parts.query or parts.password:
        raise _refused(address, "only user, host and port are allowed in it")
    options = ["-T", "-o", "ConnectTimeout=10"]
    options += ["-l", parts.username] if parts.username else []
    options += ["-p", str(port)] if port else []
    return ["ssh", *options, "--", host, "docker", "system", "dial-stdio"]


def ssh_api_version(address: str, seconds: int) -> str:
    """The API version of the engine behind an ssh address; the login included, it is bounded by ``seconds``."""
    client = ssh_client(address, "1.24", seconds)
    try:
        return str(client.version(api_version=False)["ApiVersion"])
    finally:
        client.close()


def ssh_client(address: str, version: str, seconds: int) -> DockerClient:
    """A client over ssh whose every request, a login included, is bounded by ``seconds``."""
    adapter = _Adapter(ssh_argv(address), seconds)
    # The unix address only selects the SDK's socket transport; the adapter mounted over it never opens it.
    client = DockerClient(base_url="unix:///ssh", version=version, timeout=seconds)
    client.api.mount("http+docker://", adapter)
    return client


class _Connection(UnixHTTPConnection):
    """One HTTP connection: one ssh process."""

    def __init__(self, argv: list[str], timeout: int) -> None:
        super().__init__("http+docker://ssh", "", timeout)
        self._argv = argv
        self._process: subprocess.Popen[bytes] | None = None

    def connect(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            # Not toolchain.core.process: its pipes are drained by threads, this program's are a live connection.
            # stderr stays the user's: that is where ssh asks and complains. A session of its own would take away
            # the terminal that a passphrase is asked on.
            self._process = subprocess.Popen(self._argv, stdin=theirs.fileno(), stdout=theirs.fileno())
        except OSError as reason:
            ours.close()
            raise EngineUnavailable(
                f"ssh could not be started: {reason.strerror}", where="ssh", remedy="install an OpenSSH client"
            ) from reason
        finally:
            theirs.close()
        ours.settimeout(self.timeout)
        self.sock = ours

    def close(self) -> None:
        super().close()
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_SECONDS)  # ssh leaves when its input ends
            return
        process.kill()
        process.wait()


class _Pool(UnixHTTPConnectionPool):
    def __init__(self, url: str, argv: list[str], timeout: int, maxsize: int) -> None:
        super().__init__(url, "", timeout, maxsize)
        self._argv = argv
        self._seconds = timeout

    def _new_conn(self) -> _Connection:  # type: ignore[override]  # the SDK's own pools return the same kind
        return _Connection(self._argv, self._seconds)


class _Adapter(UnixHTTPAdapter):
    def __init__(self, argv: list[str], timeout: int) -> None:
        super().__init__("http+unix:///ssh", timeout)
        self._argv = argv

    def get_connection(self, url: str | bytes, proxies: Any = None) -> _Pool:  # noqa: ARG002 - requests' signature
        # One pool for all paths (the SDK keeps one a URL): a login costs a tenth of a second and more.
        with self.pools.lock:
            pool = self.pools.get("ssh")
            if pool is None:
                pool = self.pools["ssh"] = _Pool(str(url), self._argv, self.timeout, self.max_pool_size)
        assert isinstance(pool, _Pool)
        return pool

    def get_connection_with_tls_context(self, request: PreparedRequest, *_: Any, **__: Any) -> _Pool:
        assert request.url is not None
        return self.get_connection(request.url)


def _refused(address: str, why: str) -> SettingsFault:
    return SettingsFault(
        f"this ssh address makes no sense: {why}", where=address, remedy="use ssh://user@host[:port]"
    )
