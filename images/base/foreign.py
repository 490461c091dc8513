"""A base for an architecture whose programs the engine cannot run.

What the Dockerfile does by running the distribution's interpreter is done from outside: the distribution is
unpacked into a folder of a locked container of the engine's own base, and that base's interpreter runs the same
preparation on the folder. Nothing of the other architecture is executed and no emulation is needed. The result is
compared with the distribution, and the difference is our layer, as it is for a base that was built.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from images.base.assemble import Prepared, assembled, place_of_ours
from images.base.model import BaseImage
from images.base.normalise import difference, normalised
from images.base.recipe import Recipe
from images.base.saved import saved_layers
from images.base.source import Source
from images.build_container import Work, archive_of, build_container, run_to_end
from images.files import Cache
from images.image_config import ImageConfig, Layer
from toolchain.core.containers.faults import engine_errors
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.image_layout import ROOT
from toolchain.core.tarball import END, FilePart, directory_header, file_entry, parents

_FOLDER: Final = "mixpeek-foreign"
_IMAGE: Final = "image"
_PLACE: Final = f"/{_FOLDER}/{_IMAGE}"
# Runs our preparations one after the other, each as a program of its own.
_DRIVER: Final = """
import json, runpy, sys
for sys.argv in json.loads(sys.argv[1]):
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def make_foreign_base(
    engine: ContainerEngine, cache: Cache, recipe: Recipe, source: Source, helper: BaseImage
) -> ImageConfig:
    """The base on ``source`` as a value, prepared by ``helper``, a base of the engine's own architecture.

    Raises ``EngineRefused``, also when the two distributions' Pythons differ by more than a patch release,
    ``EngineUnavailable``, and ``ImageUnavailable`` for a distribution of another architecture than it claims.
    """
    ours = place_of_ours(cache, recipe, source)
    with _distribution(engine, cache, source) as layers, cache.temporary("prepared") as (_, prepared):
        with cache.temporary("distribution") as (path, whole):
            normalised(layers, whole, whole=True)
            whole.flush()
            for chunk in _prepare(engine, cache, _Foreign(path, recipe, helper)):
                prepared.write(chunk)
        prepared.seek(0)
        with cache.replacing(ours) as output:
            difference(layers, prepared, _IMAGE, output)
        sizes = [_size(layer) for layer in layers]
    pairs = zip(source.diff_ids, sizes, strict=True)
    lower = tuple(Layer("distribution", diff_id, size) for diff_id, size in pairs)
    return assembled(recipe, source, Prepared(ours, lower, helper.config.run))


@contextmanager
def _distribution(engine: ContainerEngine, cache: Cache, source: Source) -> Iterator[list[Path | IO[bytes]]]:
    """The distribution's layers as tars, lowest first."""
    if source.rootfs is not None:
        parts = [part for layer in source.rootfs.layers for part in layer.parts]
        yield [part.path for part in parts if isinstance(part, FilePart)]
        return
    with saved_layers(engine, cache, source.id) as layers:
        yield list(layers)


def _size(layer: Path | IO[bytes]) -> int:
    return layer.stat().st_size if isinstance(layer, Path) else layer.seek(0, 2)


@dataclass(frozen=True)
class _Foreign:
    """A distribution in one tar, what goes into it, and whose interpreter does the work."""

    distribution: Path
    recipe: Recipe
    helper: BaseImage

    @property
    def work(self) -> Work:
        """As root, which owns what is unpacked, and without any capability."""
        prepare = f"{_PLACE}/{ROOT}/prepare.py"
        others = [f"{_PLACE}/{ROOT}/{Path(name).name}" for name in self.recipe.variant.preparation]
        programs = [[prepare, "interpreter", _PLACE], *([one, _PLACE] for one in others)]
        arguments = ["-I", "-S", "-B", "-c", _DRIVER, json.dumps([*programs, [prepare, "runtime", _PLACE]])]
        return Work(self.helper, "prepare a base of another architecture", arguments, user="0:0")

    def files(self) -> Iterator[bytes]:
        """What the Dockerfile copies, where it copies it to."""
        places = {self._place(name): data for name, data in self.recipe.files.items() if "/" in name}
        folders = dict.fromkeys(folder for place in places for folder in parents(place))
        yield from (directory_header(folder) for folder in folders)
        yield from (file_entry(place, data) for place, data in places.items())
        yield END

    def _place(self, name: str) -> str:
        inside = name.startswith("images/inside/")
        return f"{ROOT}/{Path(name).name}" if inside else f"{ROOT}/runtime/{name}"


def _prepare(engine: ContainerEngine, cache: Cache, foreign: _Foreign) -> Iterator[bytes]:
    """The prepared file system as a tar, below the folder ``image``."""
    api, work = engine.client.api, foreign.work
    with build_container(engine, work, cache) as container:
        with engine_errors(work.doing):
            folders = [directory_header(name) for name in (_FOLDER, f"{_FOLDER}/{_IMAGE}")]
            api.put_archive(container, "/", b"".join([*folders, END]))
            with foreign.distribution.open("rb") as stream:
                api.put_archive(container, _PLACE, stream)
            api.put_archive(container, _PLACE, b"".join(foreign.files()))
        run_to_end(engine, container, work)
        with archive_of(engine, container, _PLACE, work) as stream:
            yield from stream
