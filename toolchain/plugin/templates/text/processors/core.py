"""Texts to vectors: the file to make your own.

As it stands it needs no model: every word is hashed together with its pieces (as fastText does), so texts that
share words, or words spelled alike, point the same way. To use a trained model, replace ``HashedWordModel`` by
it in ``_load_model`` and set ``EMBEDDING_DIM`` here and ``embedding_dim`` in the manifest to its length.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

EMBEDDING_COLUMN = "my_extractor_embedding"
WORD_COUNT_COLUMN = "my_extractor_word_count"
EMBEDDING_DIM = 256


@dataclass(frozen=True)
class MyExtractorConfig:
    """Settings of the processor; see ``MyExtractorParams`` in the manifest for their meaning."""

    piece_length: int = 4
    word_weight: float = 0.4


class HashedWordModel:
    """Maps words to fixed vectors by hashing: nothing is learnt, nothing is loaded, equal on every machine."""

    def __init__(self, config: MyExtractorConfig) -> None:
        self._config = config
        # 20,000 words of 256 float32 are 20 MB; natural text repeats its words, so most are found here.
        self._word_vector = lru_cache(maxsize=20_000)(self._hash_word)

    def encode(self, words: list[str]) -> list[float] | None:
        """Return the unit vector of a text given as its words, or None when it has none."""
        total = np.zeros(EMBEDDING_DIM, dtype=np.float64)
        for word, count in Counter(words).items():
            # Repetition counts less each time, and short words, mostly "the" and "of", count little.
            weight = (1.0 + np.log(count)) * (min(len(word), 6) / 6) ** 2
            total += weight * self._word_vector(word)
        return _unit(total)

    def _hash_word(self, word: str) -> np.ndarray:
        marked, size, share = f"<{word}>", self._config.piece_length, self._config.word_weight
        # A word no longer than a piece is its own only piece.
        pieces = [marked[i : i + size] for i in range(max(1, len(marked) - size + 1))]
        vector = share * _project([marked]) + (1.0 - share) * _project(pieces) / np.sqrt(len(pieces))
        return vector.astype(np.float32)


class MyExtractorProcessor:
    """Adds a vector and a word count to each row of a batch.

    One instance serves many batches. A row whose text is missing or holds no word gets a null vector and 0 words:
    a vector of zeros has no direction and would break cosine distance.
    """

    def __init__(self, config: MyExtractorConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._model: HashedWordModel | None = None

    def _load_model(self) -> HashedWordModel:
        """Build the model on first use, in the worker that runs it, and keep it."""
        if self._model is None:
            self._model = HashedWordModel(self.config)
        return self._model

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the batch with its columns, order and index kept and the two new columns added.

        Reads ``text``, or ``data`` where there is no ``text`` column. Raises ``KeyError`` when both are absent.
        """
        model = self._load_model()
        column = "text" if "text" in batch.columns else "data"
        words = [split_words(value) for value in batch[column]]
        vectors = [model.encode(row) for row in words]
        return batch.assign(
            **{
                EMBEDDING_COLUMN: pd.Series(vectors, index=batch.index, dtype=object),
                WORD_COUNT_COLUMN: pd.Series([len(row) for row in words], index=batch.index, dtype="int64"),
            }
        )


def split_words(value: Any) -> list[str]:
    """Return the words of a text, case and compatibility forms folded; [] for None, NaN, pd.NA and non-texts."""
    if not isinstance(value, str):
        return []
    return re.findall(r"\w+", unicodedata.normalize("NFKC", value).casefold())


def _project(pieces: list[str]) -> np.ndarray:
    """Return the sum of the pieces' hashes as a vector of length EMBEDDING_DIM.

    Each piece lands on 8 places with a sign, so one collision moves an eighth of it and cannot hide it.
    """
    hashes = [hashlib.blake2b(p.encode("utf-8", "surrogatepass"), digest_size=16).digest() for p in pieces]
    codes = np.frombuffer(b"".join(hashes), dtype="<u2")
    signs = np.where(codes >> 15, 1.0, -1.0)
    return np.bincount(codes % EMBEDDING_DIM, weights=signs, minlength=EMBEDDING_DIM)


def _unit(vector: np.ndarray) -> list[float] | None:
    length = np.linalg.norm(vector)
    return (vector / length).astype(np.float32).tolist() if length > 0 else None
