"""Routes rows to the encoder of their kind; the encoders themselves are in ``encoders.py``.

All kinds share one column and one vector length, so one index holds them all. Each family of kinds has places of
its own in the vector and leaves the others zero: a text finds texts and PDFs, which share theirs, and is exactly
at a right angle to every picture and sound instead of being near one by accident.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .encoders import (
    PICTURE_DIM,
    SOUND_DIM,
    WORDS_DIM,
    encode_audio,
    encode_image,
    encode_pdf,
    encode_text,
)

EMBEDDING_COLUMN = "my_extractor_embedding"
KIND_COLUMN = "my_extractor_kind"
ERROR_COLUMN = "my_extractor_error"
EMBEDDING_DIM = WORDS_DIM + PICTURE_DIM + SOUND_DIM

WORDS = slice(0, WORDS_DIM)
PICTURES = slice(WORDS_DIM, WORDS_DIM + PICTURE_DIM)
SOUNDS = slice(WORDS_DIM + PICTURE_DIM, EMBEDDING_DIM)
PLACES = {"text": WORDS, "pdf": WORDS, "image": PICTURES, "audio": SOUNDS}


@dataclass(frozen=True)
class MyExtractorConfig:
    """Settings of one processor: its kind, and those of ``MyExtractorParams`` in the manifest."""

    kind: str
    max_pages: int = 50
    max_seconds: float = 60.0


class MyExtractorProcessor:
    """Adds a vector, the kind and an error to the rows of its own kind.

    One instance serves many batches. Rows of another kind keep what an earlier step wrote, or get nulls. A row that
    cannot be encoded (missing, broken, no word, silent) costs only itself: no vector, and the error says why.
    """

    def __init__(self, config: MyExtractorConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._encode: Callable[[str], np.ndarray] | None = None

    def _load_model(self) -> Callable[[str], np.ndarray]:
        """Choose the encoder on first use: the place to load a trained model."""
        if self._encode is None:
            self._encode = {
                "text": encode_text,
                "image": encode_image,
                "audio": lambda path: encode_audio(path, self.config.max_seconds),
                "pdf": lambda path: encode_pdf(path, self.config.max_pages),
            }[self.config.kind]
        return self._encode

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the batch with its columns, order and index kept and the new columns added or completed.

        Reads ``data``, or ``text`` where there is no ``data`` column, and ``mime_type`` where it is there. Raises
        ``KeyError`` when both ``data`` and ``text`` are absent.
        """
        values = batch["data" if "data" in batch.columns else "text"].tolist()
        mime_types = batch["mime_type"].tolist() if "mime_type" in batch.columns else [None] * len(batch)
        columns = {name: _written(batch, name) for name in (EMBEDDING_COLUMN, KIND_COLUMN, ERROR_COLUMN)}
        for row, (value, mime_type) in enumerate(zip(values, mime_types, strict=True)):
            # The platform sends only rows of our kind; a row that is plainly another's is left alone all the same.
            if kind_of(mime_type) not in {None, self.config.kind}:
                continue
            vector, error = self._describe(value)
            columns[EMBEDDING_COLUMN][row] = vector
            columns[KIND_COLUMN][row] = self.config.kind if vector else None
            columns[ERROR_COLUMN][row] = error
        return batch.assign(
            **{name: pd.Series(found, index=batch.index, dtype=object) for name, found in columns.items()}
        )

    def _describe(self, value: Any) -> tuple[list[float] | None, str | None]:
        """Return the vector of one row, or the reason why there is none."""
        if not isinstance(value, str):
            return None, "the row holds no data"
        try:
            part = self._load_model()(value)
        except Exception as error:  # noqa: BLE001 - a decoder raises whatever a broken file makes it raise
            return None, f"{type(error).__name__}: {error}"
        length = np.linalg.norm(part)
        if not 0 < length < np.inf:
            return None, f"the {self.config.kind} holds nothing to describe"
        vector = np.zeros(EMBEDDING_DIM, dtype=np.float32)
        vector[PLACES[self.config.kind]] = part / length
        return vector.tolist(), None


def kind_of(mime_type: Any) -> str | None:
    """Return the kind of a MIME type: one of ours, "other", or None when it is not known."""
    if not isinstance(mime_type, str) or not mime_type.strip():
        return None
    name = mime_type.partition(";")[0].strip().lower()
    kind = "pdf" if name == "application/pdf" else name.partition("/")[0]
    return kind if kind in PLACES else "other"


def _written(batch: pd.DataFrame, name: str) -> list:
    """Return what an earlier step wrote into a column, with None for nothing."""
    if name not in batch.columns:
        return [None] * len(batch)
    # A list is a vector; NaN and pd.NA stand where a step before did not come.
    return [value if isinstance(value, str) or np.ndim(value) else None for value in batch[name]]
