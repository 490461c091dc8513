"""Answers single queries over HTTP (Enterprise), with the same vectors as the batch pipeline."""

from typing import Any

import pandas as pd

from .processors.core import (
    EMBEDDING_COLUMN,
    ERROR_COLUMN,
    MyExtractorConfig,
    MyExtractorProcessor,
)


class RealtimeHandler:
    """Embeds one film per request."""

    def __init__(self) -> None:
        self._processor = MyExtractorProcessor(MyExtractorConfig())

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return ``{"embedding": [...]}`` for ``{"data": "path/of/film.mp4"}``.

        Raises ``ValueError`` when the film is missing or cannot be read.
        """
        row = self._processor(pd.DataFrame({"data": [request.get("data")]})).iloc[0]
        if row[EMBEDDING_COLUMN] is None:
            raise ValueError(f"The request needs a film as 'data': {row[ERROR_COLUMN]}")
        return {"embedding": row[EMBEDDING_COLUMN]}
