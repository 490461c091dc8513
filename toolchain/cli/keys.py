"""Where the program keeps its keys."""

from __future__ import annotations

from collections.abc import Mapping

from toolchain.core.places import state_dir
from toolchain.publish.keys import KeyStore


def key_store(environment: Mapping[str, str]) -> KeyStore:
    """The keys under the state folder."""
    return KeyStore(state_dir(environment) / "keys")
