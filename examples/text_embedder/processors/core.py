"""Texts to vectors with WordLlama: averaged token vectors distilled from large language models.

Weights (16 MB, 32,000 tokens of 256 float16) and tokenizer are files of the ``wordllama`` wheel, so the plugin
runs without a network and writes nothing. Source: https://github.com/dleemiller/WordLlama (MIT licence).
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

EMBEDDING_COLUMN = "text_embedder_embedding"
EMBEDDING_DIM = 256

# Texts tokenized and summed at once. WordLlama pads them to the longest of them: 16 texts of 8,000 characters
# (about 2,500 tokens) take 2 x 40 MB for the moment.
_TEXTS_AT_ONCE = 16


@dataclass(frozen=True)
class TextEmbedderConfig:
    """Settings of the processor; see ``TextEmbedderParams`` in the manifest for their meaning."""

    max_characters: int = 8000


class TextEmbedderProcessor:
    """Adds a vector to each row of a batch.

    One instance serves many batches. A row whose text is missing or blank gets a null vector: WordLlama has no
    direction to give it, and a vector of zeros would break cosine distance.
    """

    def __init__(self, config: TextEmbedderConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._model: Any = None

    def _load_model(self) -> Any:
        """Load WordLlama on first use from its own folder, with downloads disabled.

        Raises ``FileNotFoundError`` when the installed wheel does not carry the files.
        """
        if self._model is None:
            # On import WordLlama asks for the home directory of its cache, which a container's user may not have.
            os.environ.setdefault("HOME", tempfile.gettempdir())
            import wordllama

            # It finds its weights by itself, but looks for its tokenizer in the cache only: the folder is both.
            package = Path(wordllama.__file__).parent
            self._model = wordllama.WordLlama.load(dim=EMBEDDING_DIM, cache_dir=package, disable_download=True)
        return self._model

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Return the batch with its columns, order and index kept and the vectors added.

        Reads ``text``, or ``data`` where there is no ``text`` column. Raises ``KeyError`` when both are absent.
        """
        column = "text" if "text" in batch.columns else "data"
        values = batch[column].tolist()
        present = [i for i, value in enumerate(values) if isinstance(value, str) and value.strip()]
        # Texts of like length together waste the least padding.
        present.sort(key=lambda i: len(values[i]))
        texts = [values[i][: self.config.max_characters] for i in present]
        vectors: list[list[float] | None] = [None] * len(values)
        if texts:
            embedded = self._load_model().embed(texts, norm=True, batch_size=_TEXTS_AT_ONCE)
            for i, vector in zip(present, embedded.tolist(), strict=True):
                vectors[i] = vector
        return batch.assign(**{EMBEDDING_COLUMN: pd.Series(vectors, index=batch.index, dtype=object)})
