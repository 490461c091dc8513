"""Recordings to vectors: the file to make your own.

As it stands it needs no model: it measures how the power is spread over 64 pitch bands and how that changes, so
recordings that sound alike are near each other. To use a trained model, load it in ``_load_model``, call it in
``_describe`` and set ``EMBEDDING_DIM`` here and ``embedding_dim`` in the manifest to its length.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import soundfile

EMBEDDING_COLUMN = "my_extractor_embedding"
DURATION_COLUMN = "my_extractor_duration_seconds"
LOUDNESS_COLUMN = "my_extractor_loudness_dbfs"
ERROR_COLUMN = "my_extractor_error"
OUTPUT_COLUMNS = (EMBEDDING_COLUMN, DURATION_COLUMN, LOUDNESS_COLUMN, ERROR_COLUMN)

BANDS = 64
# The same pitches at every sample rate from 8 kHz on, so that a recording and its telephone copy stay comparable.
LOWEST_HERTZ, HIGHEST_HERTZ = 50.0, 4000.0
WINDOW_SECONDS, HOP_SECONDS = 0.032, 0.016
BLOCK_SECONDS = 4.0
SILENCE_DBFS = -90.0
EMBEDDING_DIM = 4 * BANDS


@dataclass(frozen=True)
class MyExtractorConfig:
    """Settings of the processor; see ``MyExtractorParams`` in the manifest for their meaning."""

    max_seconds: float = 60.0


class MyExtractorProcessor:
    """Adds a vector, the duration, the loudness and an error to each row of a batch.

    One instance serves many batches. A recording that is missing, silent or cannot be read costs only its own row:
    the other new columns are null and the error says why. Silence has no pitch, hence no direction to give it.
    """

    def __init__(self, config: MyExtractorConfig, progress_actor: Any = None) -> None:
        self.config = config
        self.progress_actor = progress_actor
        self._filters: Any = None

    def _load_model(self) -> Any:
        """Make on first use, and keep, the pitch bands of the sample rates that occur."""
        if self._filters is None:
            self._filters = lru_cache(maxsize=8)(pitch_filters)
        return self._filters

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

    def _describe(self, value: Any) -> tuple[list[float] | None, float | None, float | None, str | None]:
        """Return the values of OUTPUT_COLUMNS for one row."""
        if not isinstance(value, str):
            return None, None, None, "no file is named"
        try:
            duration, power, bands = self._listen(value)
        except Exception as error:  # noqa: BLE001 - a decoder raises whatever a broken file makes it raise
            return None, None, None, f"{type(error).__name__}: {error}"
        loudness = 10 * np.log10(max(power, 1e-12))
        if loudness < SILENCE_DBFS:
            return None, None, None, "the recording is silent"
        return summary(bands), duration, float(loudness), None

    def _listen(self, path: str) -> tuple[float, float, np.ndarray]:
        """Return the duration in seconds, the mean power, and the power per window and band, shape (n, BANDS).

        Raises ``ValueError`` for a file without samples or with samples that are not finite, and whatever soundfile
        raises for a broken one.
        """
        with soundfile.SoundFile(path) as file:
            rate, left = file.samplerate, int(self.config.max_seconds * file.samplerate)
            filters = self._load_model()(rate)
            powers, bands = [], []
            # Block by block: an hour of sound takes no more memory than a few seconds.
            while left > 0:
                block = file.read(min(left, int(BLOCK_SECONDS * rate)), dtype="float32", always_2d=True)
                if len(block) == 0:
                    break
                left -= len(block)
                mono = block.mean(axis=1, dtype=np.float64)
                powers.append(np.square(mono))
                bands.append(band_powers(mono, rate, filters))
            if not bands:
                raise ValueError("the recording holds no samples")
            power = float(np.concatenate(powers).mean())
            if not np.isfinite(power):
                raise ValueError("the recording holds samples that are not finite numbers")
            return file.frames / rate, power, np.concatenate(bands)


def pitch_filters(rate: int) -> np.ndarray:
    """Return triangular filters, evenly spaced in mel, for a sample rate; shape (frequencies, BANDS)."""
    mel = np.linspace(*(2595 * np.log10(1 + np.array([LOWEST_HERTZ, HIGHEST_HERTZ]) / 700)), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.fft.rfftfreq(_transform_size(rate), 1 / rate)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.clip(np.minimum(rising, falling), 0, None)


def band_powers(mono: np.ndarray, rate: int, filters: np.ndarray) -> np.ndarray:
    """Return the power per window and band of float samples; shape (windows, BANDS), one window or more."""
    window, hop = max(2, int(WINDOW_SECONDS * rate)), max(1, int(HOP_SECONDS * rate))
    padded = np.pad(mono, (0, max(0, window - len(mono))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * np.hanning(window)
    return np.square(np.abs(np.fft.rfft(frames, _transform_size(rate)))) @ filters


def summary(bands: np.ndarray) -> list[float]:
    """Return the unit vector for the power per window and band: its usual and its loud colour, and its changes."""
    decibels = 10 * np.log10(np.maximum(bands, bands.max() * 1e-8))
    usual, loud = decibels.mean(axis=0), np.percentile(decibels, 90, axis=0)
    steps = np.abs(np.diff(decibels, axis=0)).mean(axis=0) if len(decibels) > 1 else np.zeros(BANDS)
    # Less its mean over the bands, so that turning up the volume changes nothing.
    parts = [usual - usual.mean(), loud - loud.mean(), decibels.std(axis=0), steps]
    return _unit(np.concatenate([_unit(part) for part in parts])).astype(np.float32).tolist()


def _transform_size(rate: int) -> int:
    """Return a power of two that resolves 8 Hz or finer: the lowest bands are 30 Hz wide."""
    return 1 << int(np.ceil(np.log2(rate / 8)))


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else np.zeros_like(vector)
