"""Where a base's distribution comes from: the engine, a registry, or packages."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from images.base.model import Origin, Wanted
from images.base.packages import PACKAGES, SUITE, make_rootfs
from images.engine_calls import inspect_image, pull_image
from images.files import Cache
from images.image_config import ImageConfig
from images.placing import Order, place
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.errors import EngineRefused, ImageUnavailable, RegistryUnreachable
from toolchain.core.reporter import Phase, Reporter

# An engine that cannot resolve the registry says so in 60 ms; one behind a silent firewall says nothing.
_SILENCE_SECONDS: Final = 30.0
# For so long a registry that did not answer is not asked again, unless a refresh is wanted.
_MEMORY_SECONDS: Final = 86400.0


@dataclass(frozen=True)
class Source:
    """A distribution in the engine; ``diff_ids`` are its layers. ``rootfs`` is set when we have them at hand."""

    id: str
    origin: Origin
    name: str
    digest: str
    architecture: str
    diff_ids: tuple[str, ...]
    rootfs: ImageConfig | None = None


def obtain_source(engine: ContainerEngine, reporter: Reporter, cache: Cache, wanted: Wanted) -> Source:
    """The distribution: pulled where a registry answers, else made from packages.

    A reference that the user chose is never replaced by packages: then ``ImageUnavailable`` is raised.
    """
    with reporter.phase("distribution") as phase:
        try:
            return _pulled(engine, cache, wanted, phase)
        except EngineRefused as refusal:
            if wanted.reference is not None:
                raise ImageUnavailable(
                    f"the base image could not be pulled: {refusal.message}",
                    where=wanted.reference,
                    remedy="correct MIXPEEK_BASE_IMAGE or the registry, or unset it to build from packages",
                ) from refusal
            return _packaged(engine, cache, wanted, phase, refusal.message)


def _packaged(engine: ContainerEngine, cache: Cache, wanted: Wanted, phase: Phase, why: str) -> Source:
    phase.advance(f"no registry; making {SUITE} from packages")
    rootfs = make_rootfs(wanted.architecture, cache, refresh=wanted.refresh)
    tag = f"mixpeek/rootfs:{SUITE}-{wanted.architecture}"
    known = inspect_image(engine, tag)
    if known is None or known["Id"] != rootfs.id:
        place(engine, Order(rootfs, tag))
    phase.result = f"Debian {SUITE} from packages, since {_in_short(why)}"
    diff_ids = tuple(layer.diff_id for layer in rootfs.layers)
    return Source(
        rootfs.id,
        "packages",
        f"debian {SUITE}: {' '.join(PACKAGES)}",
        rootfs.id,
        rootfs.architecture,
        diff_ids,
        rootfs,
    )


def _in_short(why: str) -> str:
    """The end of what an engine says: registries' addresses come first, the cause last."""
    return "no registry answered: " + why.rpartition(": ")[2] if ": " in why else why


def _pulled(engine: ContainerEngine, cache: Cache, wanted: Wanted, phase: Phase) -> Source:
    """Raises ``EngineRefused`` with the reason when there is no such image."""
    found = inspect_image(engine, wanted.name)
    if found is None or wanted.refresh or found["Architecture"] != wanted.architecture:
        phase.advance(f"asking a registry for {wanted.name}")
        found = _asked(engine, cache, wanted)
    if found["Architecture"] != wanted.architecture:
        raise EngineRefused(f"{wanted.name} exists for {found['Architecture']} only", remedy="name another image")
    phase.result = f"{wanted.name}, pulled"
    digests = sorted(found.get("RepoDigests") or []) or [str(found["Id"])]
    diff_ids = tuple(found["RootFS"]["Layers"])
    digest = digests[0].rpartition("@")[2]
    return Source(str(found["Id"]), "pulled", wanted.name, digest, wanted.architecture, diff_ids)


def _asked(engine: ContainerEngine, cache: Cache, wanted: Wanted) -> dict[str, Any]:
    memory = cache.folder("bases") / f"unanswered-{sha256_json([engine.address, wanted.name])[:16]}"
    silent_since = memory.stat().st_mtime if memory.is_file() else 0.0
    if wanted.reference is None and not wanted.refresh and time.time() - silent_since < _MEMORY_SECONDS:
        raise EngineRefused("no registry answered in the last day", remedy="refresh the base to ask again")
    try:
        pull_image(engine, wanted.name, wanted.architecture, _SILENCE_SECONDS)
    except RegistryUnreachable:
        cache.write(memory, b"")
        raise
    found = inspect_image(engine, wanted.name)
    if found is None:
        raise EngineRefused(f"the engine pulled {wanted.name} and does not show it", remedy="run `mixpeek doctor`")
    memory.unlink(missing_ok=True)
    return found
