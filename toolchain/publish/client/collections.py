"""Using a published plugin: the contract's ``client.collections.create``, typed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from toolchain.publish.client.errors import NotThere
from toolchain.publish.client.models import Collection, Documents, id_in_path

if TYPE_CHECKING:
    from toolchain.publish.client.platform import Platform

_PAGE: Final = 500


class Collections:
    """The collections of one namespace."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def create(
        self, *, collection_name: str, source: Mapping[str, Any], feature_extractor: Mapping[str, Any]
    ) -> Collection:
        """Run a published plugin over a source; the answer says how the collection is called and stands.

        Where the server has no collections of a namespace, the platform's own route is used. Raises the errors of
        ``toolchain.publish.client.errors``.
        """
        body = {
            "collection_name": collection_name,
            "source": dict(source),
            "feature_extractor": dict(feature_extractor),
        }
        try:
            return self._platform.ask(Collection, "POST", "/collections", json=body)
        except NotThere:
            headers = {"X-Namespace": self._platform.namespace}
            return self._platform.ask(Collection, "POST", "/v1/collections", root="", json=body, headers=headers)

    def get(self, collection_id: str) -> Collection:
        """How a collection stands."""
        return self._platform.ask(Collection, "GET", f"/collections/{id_in_path(collection_id)}")

    def documents(self, collection_id: str) -> Iterator[dict[str, Any]]:
        """The rows with their features, page by page."""
        offset: int | None = 0
        while offset is not None:
            path = f"/collections/{id_in_path(collection_id)}/documents"
            page = self._platform.ask(Documents, "GET", path, params={"offset": offset, "limit": _PAGE})
            yield from page.documents
            offset = page.next_offset if page.documents else None
