"""How many plugins a namespace may hold."""

from __future__ import annotations

from registry.database.connection import Database
from registry.database.models import Namespace
from registry.log import Event, append


def set_quota(database: Database, namespace: str, plugins: int) -> None:
    """Set it for one namespace; what is there already stays."""
    with database.write() as session:
        session.merge(Namespace(namespace_id=namespace, plugin_quota=plugins))
        append(session, Event("namespace.quota", namespace, namespace, {"plugins": plugins}))
