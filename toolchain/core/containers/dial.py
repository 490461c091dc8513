"""Opens a client for one address: unix, tcp with or without TLS, ssh."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolchain.core.containers.contexts import Endpoint
from toolchain.core.containers.model import ContainerEngine, EngineKind
from toolchain.core.containers.options import ConnectOptions
from toolchain.core.containers.probe import State, ping_socket
from toolchain.core.errors import EngineUnavailable, SettingsFault

if TYPE_CHECKING:
    import docker
    from docker.tls import TLSConfig

# A first ssh login (name look-up, key exchange, the remote shell) takes seconds where a local ping takes 1 ms.
_SSH_SECONDS = 15
_SCHEMES = ("unix", "tcp", "http", "https", "ssh", "npipe")


def scheme_of(address: str) -> str:
    """The transport of an address; a bare ``host:port`` is tcp, as to docker. ``SettingsFault`` if unknown."""
    scheme = urlsplit(address).scheme if "://" in address else "tcp"
    if scheme not in _SCHEMES:
        raise SettingsFault(
            f"{scheme}:// is no way to reach a container engine",
            where=address,
            remedy="use unix:///path/to/socket, tcp://host:port or ssh://user@host",
        )
    return scheme


def socket_path(address: str, default: Path) -> Path:
    """The path of a ``unix://`` address; ``unix://`` alone is the default socket."""
    path = address.removeprefix("unix://")
    return Path("/" + path.lstrip("/")) if path else default


def open_engine(endpoint: Endpoint, found: str, options: ConnectOptions) -> ContainerEngine:
    """Connect to an address that must answer.

    Raises ``SettingsFault`` when the address or its TLS files make no sense, ``EngineUnavailable`` when nobody
    answers, permission is denied or the peer is no container engine.
    """
    scheme = scheme_of(endpoint.address)
    if scheme == "unix":
        path = socket_path(endpoint.address, options.docker_socket)
        ping = ping_socket(path, options.ping_seconds)
        if ping.state is not State.ANSWERS:
            raise unanswered(f"unix://{path}", found, ping.state, ping.detail)
        return open_socket(path, ping.api_version, found, options)
    dial = _dial_remote(endpoint, scheme, found, options)
    return _describe(dial, options, found, endpoint.address, local=False)


def open_socket(path: Path, api_version: str, found: str, options: ConnectOptions) -> ContainerEngine:
    """A client for a unix socket that has just answered a ping."""
    from docker import DockerClient

    from toolchain.core.containers.faults import engine_errors

    address = f"unix://{path}"

    def dial(seconds: int) -> docker.DockerClient:
        with engine_errors("connect to the container engine"):
            return DockerClient(base_url=address, version=api_version, timeout=seconds)

    return _describe(dial, options, found, address, local=True)


def unanswered(address: str, found: str, state: State, detail: str) -> EngineUnavailable:
    """The error for an address that was chosen and does not answer."""
    remedy = f"start the engine, or correct or unset {found}"
    if state is State.DENIED:
        remedy = "join the socket's group (`sudo usermod -aG docker $USER`, then log in again), or run as root"
    elif state is State.SILENT:
        remedy = "if the engine is just starting, try again; if it hangs, restart it"
    return EngineUnavailable(
        f"the container engine ({found}) does not answer: {detail}", where=address, remedy=remedy
    )


def _dial_remote(
    endpoint: Endpoint, scheme: str, found: str, options: ConnectOptions
) -> Callable[[int], docker.DockerClient]:
    """What opens clients for an engine that has just told its API version."""
    from toolchain.core.containers.faults import engine_errors

    if scheme == "ssh":
        from toolchain.core.containers.ssh import ssh_api_version, ssh_client

        with engine_errors(f"reach {found} {endpoint.address}"):
            version = ssh_api_version(endpoint.address, _SSH_SECONDS)
        return lambda seconds: ssh_client(endpoint.address, version, seconds)
    tls = _tls(endpoint)
    with engine_errors(f"reach {found} {endpoint.address}"):
        probe = _tcp_client(endpoint.address, "1.24", math.ceil(options.ping_seconds), tls)
        try:
            version = probe.version(api_version=False)["ApiVersion"]
        finally:
            probe.close()
    return lambda seconds: _tcp_client(endpoint.address, version, seconds, tls)


def _tcp_client(address: str, version: str, seconds: int, tls: TLSConfig | bool) -> docker.DockerClient:
    from docker import DockerClient
    from docker.errors import DockerException
    from requests.utils import get_environ_proxies

    try:
        client = DockerClient(base_url=address, version=version, timeout=seconds, tls=tls)
    except DockerException as reason:
        raise SettingsFault(
            f"this engine address makes no sense: {reason}",
            where=address,
            remedy="use unix:///path/to/socket, tcp://host:port or ssh://user@host",
        ) from reason
    if tls:
        # requests lets REQUESTS_CA_BUNDLE override the authority that the engine's own TLS files name, unless it
        # is told to leave the environment alone; the proxies it would have read from there are kept.
        client.api.proxies.update(get_environ_proxies(client.api.base_url, no_proxy=None))
        client.api.trust_env = False
    return client


def _tls(endpoint: Endpoint) -> TLSConfig | bool:
    from docker.errors import TLSParameterError
    from docker.tls import TLSConfig

    if endpoint.credentials is None:
        return endpoint.address.startswith("https://")
    folder = endpoint.credentials.folder
    try:
        return TLSConfig(
            client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")),
            ca_cert=str(folder / "ca.pem"),
            verify=endpoint.credentials.verify,
        )
    except TLSParameterError as reason:
        raise SettingsFault(
            "the TLS files for the container engine are missing: ca.pem, cert.pem and key.pem are needed",
            where=str(folder),
            remedy="correct DOCKER_CERT_PATH, or unset DOCKER_TLS_VERIFY for an engine without TLS",
        ) from reason


def _describe(
    dial: Callable[[int], docker.DockerClient], options: ConnectOptions, found: str, address: str, *, local: bool
) -> ContainerEngine:
    from toolchain.core.containers.faults import engine_errors

    client = dial(options.request_seconds)
    try:
        with engine_errors("ask the engine for its version"):
            facts = client.version()
    except BaseException:
        client.close()
        raise
    parts = [part.get("Name", "") for part in facts.get("Components") or []]
    kind: EngineKind = "podman" if any("podman" in part.lower() for part in parts) else "docker"
    return ContainerEngine(
        client=client,
        kind=kind,
        found=found,
        address=address,
        version=facts["Version"],
        api_version=facts["ApiVersion"],
        architecture=facts["Arch"],
        # A unix socket may lead into a virtual machine (Docker Desktop): then its kernel is another one.
        local=local and facts.get("KernelVersion") == platform.release(),
        dial=dial,
    )
