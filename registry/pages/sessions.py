"""A reviewer's login: a random cookie whose digest is kept, and a token that every form carries."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete

from registry.access import Principal, Role
from registry.access.keys import principal_of
from registry.database.connection import Database
from registry.database.models import BrowserSession, Key, now
from registry.errors import forbidden
from toolchain.core.digests import sha256_bytes

COOKIE = "mixpeek_review"
LIFE = timedelta(hours=8)


@dataclass(frozen=True)
class Login:
    """Who is logged in, and what their forms must carry."""

    principal: Principal
    form_token: str

    def check_form(self, token: str) -> None:
        """Raise a ``Refusal`` with 403 for a form that is not one of this login's pages."""
        if not hmac.compare_digest(token.encode(), self.form_token.encode()):
            raise forbidden("this form is not from your session; open the page again")


class Sessions:
    """Logins of a registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, principal: Principal) -> str:
        """A new login; the cookie's value. Raises a ``Refusal`` with 403 for a key that may not review."""
        if principal.role not in {Role.REVIEWER, Role.ADMIN}:
            raise forbidden(f"this key's role is {principal.role.value}; these pages want reviewer or admin")
        value, moment = secrets.token_urlsafe(32), now()
        with self._database.write() as session:
            session.execute(delete(BrowserSession).where(BrowserSession.expires_at < moment))
            session.add(
                BrowserSession(
                    digest=sha256_bytes(value.encode()),
                    key_id=principal.key_id,
                    form_token=secrets.token_urlsafe(32),
                    created_at=moment,
                    expires_at=moment + LIFE,
                )
            )
        return value

    def find(self, value: str | None) -> Login | None:
        """The login behind a cookie, while it and its key live."""
        if not value:
            return None
        with self._database.read() as session:
            row = session.get(BrowserSession, sha256_bytes(value.encode()))
            key = session.get(Key, row.key_id) if row is not None else None
        if row is None or key is None or row.expires_at < now() or key.revoked_at is not None:
            return None
        return Login(principal_of(key), row.form_token)

    def close(self, value: str) -> None:
        """End a login."""
        with self._database.write() as session:
            session.execute(delete(BrowserSession).where(BrowserSession.digest == sha256_bytes(value.encode())))
