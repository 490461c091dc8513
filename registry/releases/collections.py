"""Asking for a collection: which plugin over which buckets. Running it is the business of ``registry.running``."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.access import Principal
from registry.database.models import Collection, Release, now
from registry.errors import Refusal, invalid, not_found
from registry.log import Event, append
from registry.releases.catalogue import find
from registry.releases.deployments import stopped
from registry.releases.uploads import plugin_id_of
from toolchain.plugin.names import normalize_version

_BUCKET_ID = re.compile(r"bkt_[A-Za-z0-9_-]{1,80}")
_BUCKETS = 20


@dataclass(frozen=True)
class CollectionOrder:
    """A collection's name, the buckets it takes its rows from, the plugin, and what ``build_steps`` gets."""

    name: str
    bucket_ids: list[str]
    plugin: str
    version: str
    parameters: dict[str, Any]


def name_taken(name: str) -> Refusal:
    """A namespace has a collection of this name."""
    return Refusal(409, "collection_exists", f"a collection {name!r} exists already; choose another name")


def create(session: Session, namespace: str, order: CollectionOrder, principal: Principal) -> Collection:
    """Queue a collection. Raises a ``Refusal``: 400, 404 for an unknown plugin, 409 for a taken name."""
    wrong = [bucket for bucket in order.bucket_ids if not _BUCKET_ID.fullmatch(bucket)]
    if wrong or not 1 <= len(order.bucket_ids) <= _BUCKETS:
        raise invalid(f"name 1 to {_BUCKETS} buckets as bkt_…", field="source.bucket_ids")
    version = normalize_version(order.version)
    if version is None:
        raise invalid(f"{order.version[:60]!r} is no version; write X.Y.Z", field="feature_extractor.version")
    release = find(session, namespace, plugin_id_of(order.plugin, version))
    if (why := stopped(session, release)) is not None:
        raise Refusal(409, "release_stopped", why, {"review": release.review})
    taken = select(Collection).where(Collection.namespace_id == namespace, Collection.name == order.name)
    if session.scalar(taken) is not None:
        raise name_taken(order.name)
    moment = now()
    collection = Collection(
        collection_id=f"col_{secrets.token_hex(16)}",
        namespace_id=namespace,
        name=order.name,
        release_id=release.release_id,
        request={"bucket_ids": order.bucket_ids, "parameters": order.parameters},
        status="PENDING",
        created_at=moment,
        changed_at=moment,
        results={},
    )
    session.add(collection)
    body = {"plugin_id": release.plugin_id, "by": principal.key_id}
    append(session, Event("collection.created", namespace, collection.collection_id, body))
    return collection


def find_collection(session: Session, namespace: str, collection_id: str) -> tuple[Collection, Release]:
    """A collection of this namespace and its plugin. Raises a ``Refusal`` with 404."""
    collection = session.get(Collection, collection_id)
    if collection is None or collection.namespace_id != namespace:
        raise not_found("the collection", "create one with POST …/collections")
    return collection, session.get_one(Release, collection.release_id)
