"""Bearer keys: made once, kept only as digests, scoped to namespaces and a role."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import select

from registry.database.connection import Database
from registry.database.models import Key, now
from registry.errors import forbidden, unauthorized
from registry.log import Event, append
from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import UsageFault

NAMESPACE_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
ALL = "*"


class Role(str, Enum):
    """``PUBLISHER`` uploads, deploys and deletes; ``REVIEWER`` reads and decides; ``ADMIN`` does both."""

    PUBLISHER = "publisher"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@dataclass(frozen=True)
class Principal:
    """Whoever holds a valid key."""

    key_id: str
    label: str
    role: Role
    namespaces: tuple[str, ...]

    def opens(self, namespace: str) -> bool:
        """Whether the key is for this namespace."""
        return ALL in self.namespaces or namespace in self.namespaces

    def require(self, namespace: str, *roles: Role) -> None:
        """Raise a ``Refusal`` with 403 unless the key opens the namespace in one of ``roles`` (or as admin)."""
        if not self.opens(namespace):
            raise forbidden("this key does not open this namespace; use a key of the namespace")
        if self.role is not Role.ADMIN and self.role not in roles:
            wanted = " or ".join(role.value for role in roles)
            raise forbidden(
                f"this key's role is {self.role.value}; this call wants {wanted}", role=self.role.value
            )


class Keys:
    """The keys of a registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, label: str, role: Role, namespaces: Sequence[str]) -> tuple[str, str]:
        """Make a key: its id, and the key itself, which is not kept and cannot be shown again.

        Raises ``UsageFault`` for a namespace that cannot be one.
        """
        for namespace in namespaces:
            if namespace != ALL and not NAMESPACE_PATTERN.fullmatch(namespace):
                remedy = "a letter, then letters, digits, _ and -, 100 at most; * for all"
                raise UsageFault("this cannot be a namespace", where=namespace, remedy=remedy)
        key_id, key = f"key_{secrets.token_hex(8)}", f"sk_{secrets.token_urlsafe(32)}"
        row = Key(
            key_id=key_id,
            digest=sha256_bytes(key.encode()),
            label=label[:200],
            role=role.value,
            namespaces=list(namespaces),
            created_at=now(),
        )
        with self._database.write() as session:
            session.add(row)
            append(session, Event("key.created", "", key_id, {"label": row.label, "role": role.value}))
        return key_id, key

    def revoke(self, key_id: str) -> bool:
        """End a key's life; whether it was alive. Its sessions end with it."""
        with self._database.write() as session:
            row = session.get(Key, key_id)
            if row is None or row.revoked_at is not None:
                return False
            row.revoked_at = now()
            append(session, Event("key.revoked", "", key_id, {}))
            return True

    def listed(self) -> list[Key]:
        """Every key, oldest first."""
        with self._database.read() as session:
            return list(session.scalars(select(Key).order_by(Key.created_at)))

    def principal(self, key: str) -> Principal:
        """Who holds ``key``. Raises a ``Refusal`` with 401; it does not say what is wrong with the key."""
        # A key has 256 random bits: one plain hash cannot be searched, and a lookup by digest leaks no prefix.
        with self._database.read() as session:
            row = session.scalar(select(Key).where(Key.digest == sha256_bytes(key.encode())))
        if row is None or row.revoked_at is not None:
            raise unauthorized("the key is not valid here; check MIXPEEK_API_KEY, or ask for a new key")
        return principal_of(row)


def principal_of(row: Key) -> Principal:
    """The holder of a key that is known to be alive."""
    return Principal(row.key_id, row.label, Role(row.role), tuple(row.namespaces))
