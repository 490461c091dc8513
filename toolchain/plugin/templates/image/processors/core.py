"""Pictures to vectors: the file to make your own.

As it stands it needs no model: it counts colours and the directions of edges, so pictures that look alike at a
glance are near each other. To use a trained model, load it in ``_load_model``, call it in ``_embed`` and set
``EMBEDDING_DIM`` here and ``embedding_dim`` in the manifest to its length.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

EMBEDDING_COLUMN = "my_extractor_embedding"
WIDTH_COLUMN = "my_extractor_width"
HEIGHT_COLUMN = "my_extractor_height"
ERROR_COLUMN = "my_extractor_error"
OUTPUT_COLUMNS = (EMBEDDING_COLUMN, WIDTH_COLUMN, HEIGHT_COLUMN, ERROR_COLUMN)

SIDE = 64  # every picture is looked at as SIDE x SIDE pixels
COLOUR_LEVELS = 4  # per channel: 4 x 4 x 4 = 64 colours
CELLS = 4  # per side: 4 x 4 = 16 cells
DIRECTIONS = 8  # of edges, per cell
EMBEDDING_DIM = COLOUR_LEVELS**3 + CELLS**2 * DIRECTIONS


@dataclass(frozen=True)
class MyExtractorConfig:
    """Settings of the processor; see ``MyExtractorParams`` in the manifest for their meaning."""

    colour_weight: float = 0.5


class MyExtractorProcessor:
    """Adds a vector, the size and an error to each row of a batch.

    One instance serves many batches. A picture that is missing or cannot be read costs only its own row: the vector
    and the size are null and the error says why.
    """

    def __init__(self, config: MyExtractorConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._cells: np.ndarray | None = None

    def _load_model(self) -> np.ndarray:
        """Build on first use, and keep, the number of the cell in which each of the SIDE x SIDE pixels lies."""
        if self._cells is None:
            cell = np.arange(SIDE) * CELLS // SIDE
            self._cells = cell[:, None] * CELLS + cell[None, :]
        return self._cells

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

    def _describe(self, value: Any) -> tuple[list[float] | None, int | None, int | None, str | None]:
        """Return the values of OUTPUT_COLUMNS for one row."""
        if not isinstance(value, str):
            return None, None, None, "no file is named"
        try:
            with Image.open(value) as image:
                upright = ImageOps.exif_transpose(image)
                return self._embed(_pixels(upright)), upright.width, upright.height, None
        except Exception as error:  # noqa: BLE001 - a decoder raises whatever a broken file makes it raise
            return None, None, None, f"{type(error).__name__}: {error}"

    def _embed(self, pixels: np.ndarray) -> list[float]:
        """Return the unit vector of float pixels in [0, 1], shape (SIDE, SIDE, 3)."""
        weight = self.config.colour_weight
        parts = [np.sqrt(weight) * _unit(_colours(pixels)), np.sqrt(1 - weight) * _unit(self._edges(pixels))]
        return _unit(np.concatenate(parts)).astype(np.float32).tolist()

    def _edges(self, pixels: np.ndarray) -> np.ndarray:
        """Return how strong the edges are, per cell and direction; all zero for a picture of one colour."""
        down, right = np.gradient(pixels.mean(axis=2))
        # An edge from dark to bright is the same edge as from bright to dark: directions wrap at half a turn.
        direction = np.floor(np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
        places = self._load_model() * DIRECTIONS + direction
        return np.bincount(
            places.ravel(), weights=np.hypot(down, right).ravel(), minlength=CELLS**2 * DIRECTIONS
        )


def _pixels(image: Image.Image) -> np.ndarray:
    """Return the picture as float pixels in [0, 1], shape (SIDE, SIDE, 3), on white where it is transparent."""
    small = image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    white = Image.new("RGBA", small.size, "white")
    return np.asarray(Image.alpha_composite(white, small).convert("RGB"), dtype=np.float64) / 255


def _colours(pixels: np.ndarray) -> np.ndarray:
    """Return how often each of the 64 colours occurs, as square roots, so that no large area drowns the rest."""
    levels = np.minimum(pixels * COLOUR_LEVELS, COLOUR_LEVELS - 1).astype(int)
    numbers = levels @ [COLOUR_LEVELS**2, COLOUR_LEVELS, 1]
    return np.sqrt(np.bincount(numbers.ravel(), minlength=COLOUR_LEVELS**3))


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else vector
