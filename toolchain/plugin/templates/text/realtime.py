"""Answers single queries over HTTP (Enterprise), with the same vectors as the batch pipeline."""

from typing import Any

import pandas as pd

from .processors.core import (
    EMBEDDING_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
)


class RealtimeHandler:
    """Embeds one text per request."""

    def __init__(self) -> None:
        self._processor = MyExtractorProcessor(MyExtractorConfig())

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return ``{"embedding": [...]}`` for ``{"text": "..."}`` (``data`` is read when there is no text).

        Raises ``ValueError`` when the request holds no word to embed.
        """
        text = request.get("text") or request.get("data")
        row = self._processor(pd.DataFrame({"text": [text]})).iloc[0]
        if row[EMBEDDING_COLUMN] is None:
            raise ValueError("The request needs a 'text' with at least one word.")
        return {"embedding": row[EMBEDDING_COLUMN]}
