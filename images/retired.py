"""Images that lost their name to a newer build: removed, but not from under somebody who was just given them.

Between the moment a build returns an id and the moment its caller has made a container of it, the engine sees no
use. So an image that some build returned in the last half minute is only noted, and removed by a later build.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from images.engine_calls import remove_image
from images.files import Cache
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json

_GRACE_SECONDS: Final = 30.0
_FORGET_SECONDS: Final = 86400.0


class Retired:
    """The notes for one engine, in the cache: an empty file for each image, its time that of the last hand-out."""

    def __init__(self, cache: Cache, engine: ContainerEngine) -> None:
        self._cache = cache
        self._engine = engine
        place = sha256_json(engine.address)[:16]
        self._in_use = cache.root / "handed-out" / place
        self._waiting = cache.root / "retired" / place

    def hand_out(self, image: str) -> None:
        """Note that a caller was given ``image`` now, and that it is wanted again if it was retired."""
        self._note(self._in_use, image)
        (self._waiting / _name(image)).unlink(missing_ok=True)

    def retire(self, image: str) -> None:
        """``image`` has no name any more: remove it once nobody can still be about to use it."""
        self._note(self._waiting, image)

    def forget(self, image: str) -> None:
        """``image`` is gone."""
        for folder in (self._waiting, self._in_use):
            (folder / _name(image)).unlink(missing_ok=True)

    def settle(self) -> None:
        """Remove what is due; an image that a container uses stays noted."""
        if not self._waiting.is_dir():
            return
        now = time.time()
        for note in self._waiting.iterdir():
            # Another command on this cache settles the same notes.
            with suppress(FileNotFoundError):
                self._settle_one(note, now)

    def _settle_one(self, note: Path, now: float) -> None:
        handed_out = self._in_use / note.name
        last = handed_out.stat().st_mtime if handed_out.exists() else 0.0
        if now - last < _GRACE_SECONDS:
            return
        gone = remove_image(self._engine, f"sha256:{note.name}")
        if gone or now - note.stat().st_mtime > _FORGET_SECONDS:
            self.forget(note.name)

    def _note(self, folder: Path, image: str) -> None:
        self._cache.folder(str(folder.relative_to(self._cache.root)))
        (folder / _name(image)).touch()


def _name(image: str) -> str:
    return image.removeprefix("sha256:")
