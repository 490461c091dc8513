"""Answers single queries over HTTP (Enterprise), with the same vectors as the batch pipeline."""

from typing import Any

import pandas as pd

from .processors.core import EMBEDDING_COLUMN, TextEmbedderConfig, TextEmbedderProcessor


class RealtimeHandler:
    """Embeds one text per request."""

    def __init__(self) -> None:
        self._processor = TextEmbedderProcessor(TextEmbedderConfig())

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return ``{"embedding": [...]}`` for ``{"text": "..."}`` (``data`` is read when there is no text).

        Raises ``ValueError`` when the request holds no text.
        """
        text = request.get("text") or request.get("data")
        vector = self._processor(pd.DataFrame({"text": [text]}))[EMBEDDING_COLUMN].iloc[0]
        if vector is None:
            raise ValueError("The request needs a 'text' that is not blank.")
        return {"embedding": vector}
