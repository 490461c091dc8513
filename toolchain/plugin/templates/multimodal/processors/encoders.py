"""The four encoders: each turns one row into the numbers of its kind, not yet brought to unit length.

They need no model and are equal on every machine. Each raises what its library raises for a broken file, and
returns zeros, or numbers that are not finite, where there is nothing to describe.
"""

import hashlib
import re
from collections import Counter
from contextlib import closing
from itertools import pairwise

import numpy as np
import pypdfium2
import soundfile
from PIL import Image, ImageOps

WORDS_DIM = 128
GRID = 4  # a picture is looked at as 4 x 4 colours
DIRECTIONS = 16  # of its edges
PICTURE_DIM = 3 * GRID**2 + DIRECTIONS
SOUND_BANDS = 32
SOUND_DIM = 2 * SOUND_BANDS
# From 80 Hz to 4 kHz in steps of 10 Hz, a fixed ratio apart, as pitches are.
BAND_EDGES = np.geomspace(8, 400, SOUND_BANDS + 1).round().astype(int)


def encode_text(text: str) -> np.ndarray:
    """Hash the words and the pairs of neighbouring words; length WORDS_DIM."""
    words = re.findall(r"\w+", text.casefold())
    total = np.zeros(WORDS_DIM)
    for word, count in Counter(words).items():
        # Short words, mostly "the" and "of", say little; repetition counts less each time.
        total += (min(len(word), 6) / 6) ** 2 * (1 + np.log(count)) * _hashed(word)
    for pair, count in Counter(pairwise(words)).items():
        total += 0.3 * (1 + np.log(count)) * _hashed(" ".join(pair))
    return total


def encode_pdf(path: str, max_pages: int) -> np.ndarray:
    """Encode the text layer of the first pages as a text; length WORDS_DIM."""
    with closing(pypdfium2.PdfDocument(path)) as document:
        texts = []
        for number in range(min(len(document), max_pages)):
            with closing(document[number]) as page, closing(page.get_textpage()) as text_page:
                texts.append(text_page.get_text_bounded())
    return encode_text("\n".join(texts))


def encode_image(path: str) -> np.ndarray:
    """Note the colours of a coarse grid and the directions of the edges; length PICTURE_DIM."""
    with Image.open(path) as image:
        picture = ImageOps.exif_transpose(image).convert("RGBA")
    picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    grid = np.asarray(picture.resize((GRID, GRID), Image.Resampling.BOX), dtype=np.float64) / 255
    down, right = np.gradient(np.asarray(picture.resize((64, 64)).convert("L"), dtype=np.float64) / 255)
    direction = np.floor(np.arctan2(down, right) % np.pi / np.pi * DIRECTIONS).astype(int) % DIRECTIONS
    edges = np.bincount(direction.ravel(), weights=np.hypot(down, right).ravel(), minlength=DIRECTIONS)
    # Grey is the origin of colour, but a picture that is grey all over still needs a direction.
    return np.concatenate([_unit(grid.ravel() - 0.5 + 1e-3), _unit(edges)])


def encode_audio(path: str, max_seconds: float) -> np.ndarray:
    """Note how the power is spread over the pitches and how much that varies; length SOUND_DIM, zeros for silence.

    Raises ``ValueError`` for a sample rate below 8 kHz, which does not reach all pitches.
    """
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        samples = file.read(max(1, int(max_seconds * rate)), dtype="float32", always_2d=True)
    if rate < 8000:
        raise ValueError(f"the sample rate is {rate} Hz; 8000 or more are needed")
    mono = samples.mean(axis=1, dtype=np.float64)
    if not len(mono) or np.abs(mono).max() < 1e-4:
        return np.zeros(SOUND_DIM)
    window = rate // 10  # 100 ms resolve 10 Hz
    frames = np.pad(mono, (0, -len(mono) % window)).reshape(-1, window) * np.hanning(window)
    spectrum = np.square(np.abs(np.fft.rfft(frames)))[:, : BAND_EDGES[-1]]
    bands = np.add.reduceat(spectrum, BAND_EDGES[:-1], axis=1) / np.diff(BAND_EDGES)
    decibels = 10 * np.log10(np.maximum(bands, bands.max() * 1e-8))
    usual = decibels.mean(axis=0)
    return np.concatenate([_unit(usual - usual.mean()), _unit(decibels.std(axis=0))])


def _hashed(term: str) -> np.ndarray:
    """Return the digest of a term as 8 signs at 8 places of WORDS_DIM."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    codes = np.frombuffer(digest, dtype="<u2")
    return np.bincount(codes % WORDS_DIM, weights=np.where(codes >> 15, 1.0, -1.0), minlength=WORDS_DIM)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else np.zeros_like(vector)
