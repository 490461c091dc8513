"""How commands reach the platform: settings, certificates and proxies of the environment, and one client."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolchain.core.places import state_dir
from toolchain.publish.client.platform import Platform
from toolchain.publish.client.transport import Connection, Transport
from toolchain.settings import Settings, resolve_settings

if TYPE_CHECKING:
    import click


@dataclass(frozen=True)
class Call:
    """What a command line says of the platform: the group's options and the command's namespace."""

    flags: Mapping[str, str | None]
    environment: Mapping[str, str]
    project: Path | None = None

    @property
    def settings(self) -> Settings:
        """The cascade's result."""
        return resolve_settings(flags=self.flags, environment=self.environment, project=self.project)


def call_of(context: click.Context, namespace: str | None, environment: Mapping[str, str], **more: Any) -> Call:
    """The call that a command makes; ``project`` is a plugin's folder."""
    return Call({**(context.find_root().obj or {}), "namespace": namespace}, environment, **more)


@contextmanager
def open_platform(call: Call) -> Iterator[Platform]:
    """The client for one command. Raises ``UsageFault`` for what the call lacks."""
    settings = call.settings
    connection = Connection(
        base_url=settings.get("base_url") or "",
        api_key=settings.get("api_key"),
        certificates=call.environment.get("SSL_CERT_FILE") or None,
        proxy_for=_proxy,
    )
    with Transport(connection) as transport:
        yield Platform(transport, settings.get("namespace") or "")


def publications(environment: Mapping[str, str]) -> Path:
    """Where it is remembered how far publications came."""
    return state_dir(environment) / "publish"


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for a URL, unless NO_PROXY excepts its host."""
    parts = urlsplit(url)
    if not parts.hostname or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)
