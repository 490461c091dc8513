"""Answers single queries over HTTP (Enterprise), with the same vectors as the batch pipeline."""

from typing import Any

import pandas as pd

from .processors.core import (
    EMBEDDING_COLUMN,
    ERROR_COLUMN,
    PLACES,
    MyExtractorConfig,
    MyExtractorProcessor,
    kind_of,
)


class RealtimeHandler:
    """Embeds one text, picture, sound or PDF per request."""

    def __init__(self) -> None:
        self._processors = {kind: MyExtractorProcessor(MyExtractorConfig(kind)) for kind in PLACES}

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return ``{"embedding": [...]}`` for ``{"text": "..."}`` or ``{"data": ..., "mime_type": ...}``.

        Without a MIME type ``data`` is taken for text. Raises ``ValueError`` when the kind is none of ours or the
        data cannot be encoded.
        """
        kind = kind_of(request.get("mime_type")) or "text"
        if kind not in self._processors:
            raise ValueError(f"There is no encoder for {request['mime_type']!r}.")
        value = request.get("data") or request.get("text")
        row = self._processors[kind](pd.DataFrame({"data": [value]})).iloc[0]
        if row[EMBEDDING_COLUMN] is None:
            raise ValueError(f"The request cannot be encoded as {kind}: {row[ERROR_COLUMN]}")
        return {"embedding": row[EMBEDDING_COLUMN]}
