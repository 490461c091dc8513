"""Everything of ours that goes into a base: Dockerfile, preparation and runtime, as a build context."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from images.base.catalogue import CPU, Variant
from images.layout import LAYOUT_VERSION
from toolchain.core.digests import sha256_bytes, sha256_json
from toolchain.core.errors import ImageUnavailable
from toolchain.core.tarball import END, file_entry

_HOME: Final = Path(__file__).resolve().parents[2]
_PREPARATION: Final = ("images/inside/prepare.py",)
# Of the sandbox only what runs inside; its policies stay on the host.
_SANDBOX: Final = ("sandbox/__init__.py", "sandbox/protocol.py", "sandbox/seal.py")


@dataclass(frozen=True)
class Recipe:
    """The files of the context by name; equal recipes on equal sources give the identical image."""

    files: dict[str, bytes]
    variant: Variant = CPU

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits over names, contents and our own version."""
        return sha256_json([LAYOUT_VERSION, {name: sha256_bytes(data) for name, data in self.files.items()}])

    def context(self) -> Iterator[bytes]:
        """The build context as a tar."""
        for name, data in self.files.items():
            yield file_entry(name, data)
        yield END


def read_recipe(variant: Variant = CPU) -> Recipe:
    """The recipe as installed, from a source tree or a wheel. Raises ``ImageUnavailable`` if it is incomplete."""
    names = [*_PREPARATION, *variant.preparation, *_SANDBOX, *_below("engine"), *_below("sandbox/guest")]
    files = {variant.dockerfile: _dockerfile(variant.dockerfile).read_bytes()}
    for name in sorted(names):
        path = _HOME / name
        if path.is_file():
            files[name] = path.read_bytes()
    return Recipe(files, variant)


def _dockerfile(name: str) -> Path:
    # The wheel carries it inside the package; in the source tree it lies where people look for it.
    for path in (_HOME / "images" / "dockerfiles" / name, _HOME / name):
        if path.is_file():
            return path
    raise ImageUnavailable(f"{name} is missing from the installation", remedy="reinstall mixpeek")


def _below(folder: str) -> Iterator[str]:
    for parent, names, files in os.walk(_HOME / folder):
        names[:] = sorted(name for name in names if name != "__pycache__")
        place = Path(parent).relative_to(_HOME).as_posix()
        yield from (f"{place}/{name}" for name in sorted(files) if not name.endswith(".pyc"))
