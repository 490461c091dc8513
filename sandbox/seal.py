"""Seals: who in a container said something, where its processes may write to each other's descriptors.

gVisor lets every process of a user open the descriptors of process 1. So the host's job brings a key, which
process 1 alone ever holds, and each message back carries a keyed hash over its place in the conversation, its
lengths and its body. A message that is put in, changed, repeated, left out or moved has another one. A blob is not
part of it: its length is, and its bytes are the plugin's own word, whoever of its processes writes them.
"""

from __future__ import annotations

import secrets
from hashlib import blake2b

from sandbox.protocol import SEAL_BYTES

_KEY_BYTES = 32


def new_key() -> str:
    """A key for one conversation, in hexadecimal digits."""
    return secrets.token_hex(_KEY_BYTES)


class Sealer:
    """The seals of one conversation under ``key``, in its order; both sides count for themselves (RFC 7693)."""

    def __init__(self, key: str) -> None:
        self._key = bytes.fromhex(key)
        self._count = 0

    def __call__(self, head: bytes) -> bytes:
        """The seal of the next head."""
        place = self._count.to_bytes(8, "big")
        self._count += 1
        return blake2b(place + head, key=self._key, digest_size=SEAL_BYTES).digest()
