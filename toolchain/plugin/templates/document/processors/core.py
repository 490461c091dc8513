"""PDF documents to vectors: the file to make your own.

As it stands it needs no model: it extracts the text layer and hashes words and pairs of neighbouring words, so
documents that share terms are near each other. To use a trained model, load it in ``_load_model``, call it in
``_embed`` and set ``EMBEDDING_DIM`` here and ``embedding_dim`` in the manifest to its length.
"""

import hashlib
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pypdfium2

EMBEDDING_COLUMN = "my_extractor_embedding"
TITLE_COLUMN = "my_extractor_title"
PAGE_COUNT_COLUMN = "my_extractor_page_count"
ERROR_COLUMN = "my_extractor_error"
OUTPUT_COLUMNS = (EMBEDDING_COLUMN, TITLE_COLUMN, PAGE_COUNT_COLUMN, ERROR_COLUMN)
EMBEDDING_DIM = 256


@dataclass(frozen=True)
class MyExtractorConfig:
    """Settings of the processor; see ``MyExtractorParams`` in the manifest for their meaning."""

    max_pages: int = 50
    first_page_weight: float = 2.0


class MyExtractorProcessor:
    """Adds a vector, a title, the number of pages and an error to each row of a batch.

    One instance serves many batches. A document that is missing, locked or cannot be read costs only its own row:
    the other new columns are null and the error says why. A document without a text layer, such as a scan, keeps
    its page count and gets a null vector.
    """

    def __init__(self, config: MyExtractorConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._term_vector: Any = None

    def _load_model(self) -> Any:
        """Make on first use, and keep, a memory of the vectors of the terms met most recently."""
        if self._term_vector is None:
            self._term_vector = lru_cache(maxsize=20_000)(hashed_term)
        return self._term_vector

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the batch with its columns, order and index kept and the new columns added.

        Reads file paths from ``data``. Raises ``KeyError`` when there is no such column.
        """
        rows = [self._describe(value) for value in batch["data"]]
        columns = zip(*rows, strict=True) if rows else ([] for _ in OUTPUT_COLUMNS)
        return batch.assign(
            **{
                name: pd.Series(list(values), index=batch.index, dtype=object)
                for name, values in zip(OUTPUT_COLUMNS, columns, strict=True)
            }
        )

    def _describe(self, value: Any) -> tuple[list[float] | None, str | None, int | None, str | None]:
        """Return the values of OUTPUT_COLUMNS for one row."""
        if not isinstance(value, str):
            return None, None, None, "no file is named"
        try:
            pages, page_count = read_pages(value, self.config.max_pages)
        except Exception as error:  # noqa: BLE001 - a decoder raises whatever a broken file makes it raise
            return None, None, None, f"{type(error).__name__}: {error}"
        lines = (line.strip() for page in pages for line in page.splitlines())
        title = next((line for line in lines if line), None)
        vector = self._embed(pages)
        return vector, title, page_count, None if vector else "the document holds no text"

    def _embed(self, pages: list[str]) -> list[float] | None:
        """Return the unit vector of the pages' texts, or None when they hold no word."""
        counts: Counter[str] = Counter()
        for number, page in enumerate(pages):
            weight = self.config.first_page_weight if number == 0 else 1.0
            words = re.findall(r"\w+", page.casefold())
            for term in (*words, *(f"{first} {second}" for first, second in pairwise(words))):
                counts[term] += weight
        total = np.zeros(EMBEDDING_DIM)
        for term, count in counts.items():
            # Repetition counts less each time.
            total += importance(term) * (1.0 + np.log(count)) * self._load_model()(term)
        length = np.linalg.norm(total)
        return (total / length).astype(np.float32).tolist() if length > 0 else None


def read_pages(path: str, limit: int) -> tuple[list[str], int]:
    """Return the texts of the first ``limit`` pages and the number of all pages.

    Raises ``pypdfium2.PdfiumError`` for a broken or locked document and ``FileNotFoundError`` for a missing one.
    """
    with closing(pypdfium2.PdfDocument(path)) as document:
        texts = []
        for number in range(min(len(document), limit)):
            with closing(document[number]) as page, closing(page.get_textpage()) as text_page:
                texts.append(text_page.get_text_bounded())
        return texts, len(document)


def importance(term: str) -> float:
    """Return how telling a word or a pair is, up to 1: short words, mostly "the" and "of", are not."""
    return float(np.prod([(min(len(word), 6) / 6) ** 2 for word in term.split(" ")]))


def hashed_term(term: str) -> np.ndarray:
    """Return the vector of a term, length EMBEDDING_DIM, made from its digest.

    It lands on 8 places with a sign, so one collision moves an eighth of it and cannot hide it.
    """
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    codes = np.frombuffer(digest, dtype="<u2")
    signs = np.where(codes >> 15, 1.0, -1.0)
    return np.bincount(codes % EMBEDDING_DIM, weights=signs, minlength=EMBEDDING_DIM).astype(np.float32)
