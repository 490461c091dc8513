"""Who is calling, and whether they may: every route names its roles here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from registry.access import Principal, Role
from registry.access.keys import NAMESPACE_PATTERN
from registry.assembly import Registry
from registry.errors import Refusal, not_found, unauthorized

_BEARER = HTTPBearer(auto_error=False, description="A key of `mixpeek registry key create`")


@dataclass(frozen=True)
class Call:
    """One authorised call: the registry, the namespace, and who calls."""

    registry: Registry
    namespace: str
    principal: Principal


def allowed(*roles: Role) -> Callable[..., Call]:
    """A dependency that lets callers with one of ``roles`` (or admins) pass, in their own namespaces alone."""

    def check(
        request: Request,
        namespace_id: str,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    ) -> Call:
        registry: Registry = request.app.state.registry
        principal = _identified(registry, request, credentials)
        registry.rates.take(principal.key_id)
        if not NAMESPACE_PATTERN.fullmatch(namespace_id):
            raise not_found("the namespace", "a namespace is a letter, then letters, digits, _ and -")
        principal.require(namespace_id, *roles)
        return Call(registry, namespace_id, principal)

    return check


def _identified(
    registry: Registry, request: Request, credentials: HTTPAuthorizationCredentials | None
) -> Principal:
    try:
        if credentials is None:
            raise unauthorized("no key was sent; send `Authorization: Bearer KEY`")
        return registry.keys.principal(credentials.credentials)
    except Refusal as refusal:
        if refusal.status == 401:
            # Only failures count here: whoever guesses keys is slowed down, whoever has one is not.
            registry.strangers.take(request.client.host if request.client else "")
        raise


PUBLISHERS = Annotated[Call, Depends(allowed(Role.PUBLISHER))]
REVIEWERS = Annotated[Call, Depends(allowed(Role.REVIEWER))]
READERS = Annotated[Call, Depends(allowed(Role.PUBLISHER, Role.REVIEWER))]
