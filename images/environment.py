"""The few things that this package takes from the environment, one function each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from images.faults import StoreUnavailable
from toolchain.core.errors import SettingsFault

_TRUST: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def cache_directory() -> Path:
    """``MIXPEEK_CACHE_DIR``, else ``mixpeek`` under ``XDG_CACHE_HOME``, else ``~/.cache/mixpeek``.

    The XDG specification has a relative ``XDG_CACHE_HOME`` ignored. Raises ``StoreUnavailable`` for a user without
    a home.
    """
    try:
        if own := os.environ.get("MIXPEEK_CACHE_DIR"):
            return Path(own).expanduser().absolute()
        xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "mixpeek"
    except RuntimeError as reason:
        raise StoreUnavailable(
            f"there is no place for the cache: {reason}",
            remedy="set MIXPEEK_CACHE_DIR to a folder that you may write, by its whole path",
        ) from None


def index_url() -> str | None:
    """The one package index that the user named in ``MIXPEEK_INDEX_URL``; ``None`` is the public index.

    Raises ``SettingsFault`` for what is no address of one: a resolver would take it for a folder, and say of every
    package that it is not there.
    """
    address = os.environ.get("MIXPEEK_INDEX_URL") or None
    if address is not None and not _is_web_address(address):
        raise SettingsFault(
            "not the address of a package index",
            where="MIXPEEK_INDEX_URL",
            remedy="set it to one like https://user:password@host/simple, or unset it",
        )
    return address


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        return False


def network_variables() -> dict[str, str]:
    """Trust and proxy variables: what a program needs to reach the network, and no policy of its own."""
    names = [*_TRUST, *_PROXIES, *(name.lower() for name in _PROXIES)]
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def certificate_file() -> str | None:
    """A bundle of certificate authorities that the user trusts instead of the system's."""
    return os.environ.get("SSL_CERT_FILE") or None


def base_reference() -> str | None:
    """The base image that the user wants in place of the default, from ``MIXPEEK_BASE_IMAGE``."""
    return os.environ.get("MIXPEEK_BASE_IMAGE") or None


def program_path() -> str:
    """``PATH``, for finding the programs we start."""
    return os.environ.get("PATH", os.defpath)
