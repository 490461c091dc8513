"""Where a base's distribution comes from: the engine, a registry, or packages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from images.base.model import Origin
from images.base.packages import PACKAGES, SUITE, make_rootfs
from images.engine_calls import engine_faults, inspect_image
from images.files import Cache
from images.image_config import ImageConfig
from images.placing import place
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import ImageUnavailable
from toolchain.core.reporter import Reporter

DEFAULT_REFERENCE: Final = "python:3.11-slim-bookworm"
# An engine that cannot resolve the registry says so in 60 ms; one behind a silent firewall says nothing.
_SILENCE_SECONDS: Final = 30


@dataclass(frozen=True)
class Source:
    """A distribution in the engine. ``rootfs`` is set when we have its layer at hand."""

    id: str
    origin: Origin
    name: str
    digest: str
    rootfs: ImageConfig | None = None


def obtain_source(
    engine: ContainerEngine, reporter: Reporter, cache: Cache, architecture: str, wanted: str | None
) -> Source:
    """The distribution ``wanted`` or the default: pulled where a registry answers, else made from packages.

    A reference that the user chose is never replaced by packages: then ``ImageUnavailable`` is raised.
    """
    reference = wanted or DEFAULT_REFERENCE
    with reporter.phase("base image") as phase:
        phase.advance(f"asking for {reference}")
        found, refusal = _pulled(engine, reference, architecture)
        if found is not None:
            phase.result = f"{reference}, pulled"
            digests = found.get("RepoDigests") or [found["Id"]]
            return Source(found["Id"], "pulled", reference, str(sorted(digests)[0]).rpartition("@")[2])
        if wanted is not None:
            raise ImageUnavailable(
                f"the base image could not be pulled: {refusal}",
                where=reference,
                remedy="correct MIXPEEK_BASE_IMAGE or the registry, or unset it to build from packages",
            )
        phase.advance(f"no registry; making {SUITE} from packages")
        rootfs = make_rootfs(architecture, cache)
        name = f"debian {SUITE}: {' '.join(PACKAGES)}"
        tag = f"mixpeek/rootfs:{SUITE}-{architecture}"
        placed = place(engine, rootfs, tag, (), None)
        phase.result = f"made from {SUITE} packages: {refusal}"
        return Source(placed.id, "packages", name, rootfs.id, rootfs)


def _pulled(engine: ContainerEngine, reference: str, architecture: str) -> tuple[dict[str, Any] | None, str]:
    """The image as the engine knows it after asking the registry, or why there is none."""
    found = inspect_image(engine, reference)
    if found is not None and found["Architecture"] == architecture:
        return found, ""
    refusal = _pull(engine, reference, architecture)
    found = None if refusal else inspect_image(engine, reference)
    if found is not None and found["Architecture"] != architecture:
        return None, f"it exists for {found['Architecture']} only"
    return found, refusal or "the engine does not show it"


def _pull(engine: ContainerEngine, reference: str, architecture: str) -> str:
    """Ask the engine to pull; returns why it could not, or nothing."""
    import requests

    api = engine.client.api
    repository, _, tag = (
        reference.rpartition(":") if ":" in reference.rpartition("/")[2] else (reference, "", "latest")
    )
    with engine_faults(engine, "pulling the base image"):
        try:
            response = api.post(
                f"{api.base_url}/v{engine.api_version}/images/create",
                params={"fromImage": repository, "tag": tag, "platform": f"linux/{architecture}"},
                timeout=_SILENCE_SECONDS,
                stream=True,
            )
            lines = [json.loads(line) for line in response.iter_lines() if line]
        except requests.ReadTimeout:
            return f"the registry was silent for {_SILENCE_SECONDS} s"
    problems = [
        str(line.get("error") or line.get("message")) for line in lines if "error" in line or "message" in line
    ]
    return problems[0] if problems else ""
