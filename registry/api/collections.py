"""Using a published plugin: a collection of features from the rows of buckets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy.exc import IntegrityError

from registry.api.caller import PUBLISHERS, READERS
from registry.api.shapes import Document, Shape, Text
from registry.database.models import Collection, Release
from registry.errors import Refusal, conflict, not_found
from registry.releases.collections import CollectionOrder, create, find_collection, name_taken
from toolchain.core.digests import canonical_json

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/collections", tags=["collections"])

_COLLECTION_ID = re.compile(r"col_[0-9a-f]{32}")
_PARAMETERS = 64 << 10


class Source(Shape):
    """Where the rows come from."""

    type: Literal["bucket"]
    bucket_ids: list[Text] = Field(max_length=20)


class FeatureExtractor(Shape):
    """The published plugin."""

    feature_extractor_name: Text = Field(max_length=64)
    version: Text = Field(max_length=60)
    parameters: Document = Field(default_factory=dict)


class CollectionRequest(Shape):
    """The contract's ``client.collections.create``."""

    collection_name: Text = Field(min_length=1, max_length=200)
    source: Source
    feature_extractor: FeatureExtractor


class CollectionAnswer(Shape):
    """How a collection stands: ``PENDING``, ``COMPLETED`` or ``FAILED`` with its ``error``."""

    success: bool = True
    collection_id: str
    collection_name: str
    status: str
    plugin_id: str
    created_at: datetime
    error: str | None
    rows: int | None
    columns: list[str]
    set_aside: list[dict[str, Any]]


class DocumentsAnswer(Shape):
    """Rows with their features, from ``offset`` on."""

    success: bool = True
    documents: list[dict[str, Any]]
    total: int
    next_offset: int | None


@router.post("", response_model=CollectionAnswer)
def create_collection(call: PUBLISHERS, body: CollectionRequest) -> dict[str, Any]:
    """Run a plugin over buckets in the sandbox; ask for the collection to see how it goes."""
    wanted = body.feature_extractor
    if len(canonical_json(wanted.parameters)) > _PARAMETERS:
        raise Refusal(413, "too_large", f"the parameters are larger than {_PARAMETERS} bytes")
    order = CollectionOrder(
        body.collection_name,
        body.source.bucket_ids,
        wanted.feature_extractor_name,
        wanted.version,
        wanted.parameters,
    )
    registry = call.registry
    try:
        with registry.database.write() as session:
            collection = create(session, call.namespace, order, call.principal)
            release = session.get_one(Release, collection.release_id)
    except IntegrityError:
        raise name_taken(order.name) from None
    registry.collector.wake()
    return _shown(collection, release)


@router.get("/{collection_id}", response_model=CollectionAnswer)
def show_collection(call: READERS, collection_id: Annotated[str, Path()]) -> dict[str, Any]:
    """How a collection stands."""
    _check_id(collection_id)
    with call.registry.database.read() as session:
        return _shown(*find_collection(session, call.namespace, collection_id))


@router.get("/{collection_id}/documents", response_model=DocumentsAnswer)
def list_documents(
    call: READERS,
    collection_id: str,
    offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """The features that came back."""
    _check_id(collection_id)
    with call.registry.database.read() as session:
        collection, _ = find_collection(session, call.namespace, collection_id)
    if collection.status != "COMPLETED":
        raise conflict(f"the collection is {collection.status.lower()}; wait until it is completed")
    total = int(collection.results["rows"])
    with call.registry.storage.open(collection.results["key"]) as stream:
        if stream is None:
            raise Refusal(503, "unavailable", "the collection's features are gone from the object store")
        documents = [json.loads(line) for line in islice(_lines(stream), offset, offset + limit)]
    end = offset + len(documents)
    return {"documents": documents, "total": total, "next_offset": end if end < total else None}


def _lines(stream: Any) -> Iterator[bytes]:
    pending = b""
    while chunk := stream.read(1 << 20):
        *whole, pending = (pending + chunk).split(b"\n")
        yield from whole


def _check_id(collection_id: str) -> None:
    if not _COLLECTION_ID.fullmatch(collection_id):
        raise not_found("the collection", "create one with POST …/collections")


def _shown(collection: Collection, release: Release) -> dict[str, Any]:
    return {
        "collection_id": collection.collection_id,
        "collection_name": collection.name,
        "status": collection.status,
        "plugin_id": release.plugin_id,
        "created_at": collection.created_at,
        "error": collection.problem,
        "rows": collection.results.get("rows"),
        "columns": collection.results.get("columns", []),
        "set_aside": collection.results.get("set_aside", []),
    }
