"""Films to vectors: the file to make your own.

As it stands it needs no model: it looks at a few frames, spread evenly, and notes their colours, where they are
bright, and where they change. To use a trained model, load it in ``_load_model``, call it on the frames in
``_embed`` and set ``EMBEDDING_DIM`` here and ``embedding_dim`` in the manifest to its length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd

EMBEDDING_COLUMN = "my_extractor_embedding"
DURATION_COLUMN = "my_extractor_duration_seconds"
ERROR_COLUMN = "my_extractor_error"
OUTPUT_COLUMNS = (EMBEDDING_COLUMN, DURATION_COLUMN, ERROR_COLUMN)

SIDE = 64  # every frame is looked at as SIDE x SIDE pixels
COLOUR_LEVELS = 4  # per channel: 4 x 4 x 4 = 64 colours
CELLS = 8  # per side: 8 x 8 = 64 cells
EMBEDDING_DIM = COLOUR_LEVELS**3 + 2 * CELLS**2


@dataclass(frozen=True)
class MyExtractorConfig:
    """Settings of the processor; see ``MyExtractorParams`` in the manifest for their meaning."""

    frames: int = 8
    motion_weight: float = 0.4


class MyExtractorProcessor:
    """Adds a vector, the duration and an error to each row of a batch.

    One instance serves many batches. A film that is missing or cannot be read costs only its own row: the vector
    and the duration are null and the error says why.
    """

    def __init__(self, config: MyExtractorConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._weights: np.ndarray | None = None

    def _load_model(self) -> np.ndarray:
        """Build on first use, and keep, the weights of colours, brightness and motion."""
        if self._weights is None:
            motion = self.config.motion_weight
            self._weights = np.sqrt([(1 - motion) / 2, (1 - motion) / 2, motion])
        return self._weights

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

    def _describe(self, value: Any) -> tuple[list[float] | None, float | None, str | None]:
        """Return the values of OUTPUT_COLUMNS for one row."""
        if not isinstance(value, str):
            return None, None, "no file is named"
        try:
            frames, duration = read_frames(value, self.config.frames)
            return self._embed(frames), duration, None
        except Exception as error:  # noqa: BLE001 - a decoder raises whatever a broken file makes it raise
            return None, None, f"{type(error).__name__}: {error}"

    def _embed(self, frames: np.ndarray) -> list[float]:
        """Return the unit vector of frames with values in [0, 1], shape (n, SIDE, SIDE, 3), n of 1 or more."""
        cell = SIDE // CELLS
        bright = frames.mean(axis=3).reshape(len(frames), CELLS, cell, CELLS, cell).mean(axis=(2, 4))
        changes = np.abs(np.diff(bright, axis=0)).sum(axis=0)
        parts = [_colours(frames), (bright - bright.mean()).mean(axis=0).ravel(), changes.ravel()]
        weighted = [weight * _unit(part) for weight, part in zip(self._load_model(), parts, strict=True)]
        return _unit(np.concatenate(weighted)).astype(np.float32).tolist()


def read_frames(path: str, count: int) -> tuple[np.ndarray, float | None]:
    """Return up to ``count`` frames with values in [0, 1], shape (n, SIDE, SIDE, 3), and the duration in seconds.

    Raises ``ValueError`` for a file without pictures and whatever PyAV raises for a broken one.
    """
    # FFmpeg would also take an address, and a playlist may name one: only files are read here.
    if not Path(path).is_file():
        raise FileNotFoundError(f"No such file: {path}")
    with av.open(path, options={"protocol_whitelist": "file"}) as container:
        if not container.streams.video:
            raise ValueError("the file has no video stream")
        stream = container.streams.video[0]
        length = _length(container, stream)
        frames = [
            frame.to_ndarray(format="rgb24", width=SIDE, height=SIDE)
            for frame in _spread(container, stream, length, count)
        ]
        duration = float(length * stream.time_base) if length else None
    if not frames:
        raise ValueError("the file has no frame that can be shown")
    return np.stack(frames) / 255.0, duration


def _length(container: Any, stream: Any) -> int | None:
    """Return the length of the stream in units of its time base, or None where the file does not tell."""
    if stream.duration:
        return stream.duration
    if container.duration:
        return int(Fraction(container.duration, av.time_base) / stream.time_base)
    return None


def _spread(container: Any, stream: Any, length: int | None, count: int) -> Iterator[Any]:
    """Yield the frame in the middle of each of ``count`` equal parts, or the first ones of an unknown length."""
    if length is None:
        yield from islice(container.decode(stream), count)
        return
    for part in range(count):
        wanted = (stream.start_time or 0) + length * (2 * part + 1) // (2 * count)
        # Seeking lands on the key frame before; only the frames from there on are decoded, not the whole film.
        container.seek(wanted, stream=stream)
        frame = None
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts >= wanted:
                break
        if frame is not None:
            yield frame


def _colours(frames: np.ndarray) -> np.ndarray:
    """Return how often each of the 64 colours occurs, as square roots, so that no large area drowns the rest."""
    levels = np.minimum(frames * COLOUR_LEVELS, COLOUR_LEVELS - 1).astype(int)
    numbers = levels @ [COLOUR_LEVELS**2, COLOUR_LEVELS, 1]
    return np.sqrt(np.bincount(numbers.ravel(), minlength=COLOUR_LEVELS**3))


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else np.zeros_like(vector)
