"""Gathers what the checks look at: the engine if one answers, its own description, the base image."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.layout import LABEL_ACCELERATOR, LABEL_ORIGIN, LABEL_PYTHON, LABEL_RECIPE, LABEL_ROLE, LABEL_SOURCE
from toolchain.core.containers import ConnectOptions, ContainerEngine, connect, engine_errors
from toolchain.core.errors import MixpeekError
from toolchain.core.reporter import Reporter, SilentReporter
from toolchain.doctor.model import Surroundings


@dataclass(frozen=True)
class DoctorOptions:
    """How to find the engine, where the toolchain's cache is, which package index is used (``None``: public)."""

    connect: ConnectOptions
    cache: Path
    index_url: str | None = None


def survey(options: DoctorOptions, reporter: Reporter | None = None) -> Surroundings:
    """The surroundings as they are. An engine that cannot be had is a fact here, not an error.

    Close ``engine`` when done.
    """
    engine, fault = _engine(options.connect, reporter or SilentReporter())
    facts: dict[str, Any] = {"engine": engine, "fault": fault}
    if engine is not None:
        with suppress(MixpeekError):  # an engine that dies here fails its own checks with its own words
            facts["info"] = _info(engine)
            facts |= _base_image(engine)
    return Surroundings(
        environment=options.connect.environment, cache=options.cache, index_url=options.index_url, **facts
    )


def _engine(options: ConnectOptions, reporter: Reporter) -> tuple[ContainerEngine | None, MixpeekError | None]:
    try:
        return connect(options, reporter), None
    except MixpeekError as fault:
        return None, fault


def _info(engine: ContainerEngine) -> Mapping[str, Any]:
    with engine_errors("ask the engine about itself"):
        return dict(engine.client.info())


def _base_image(engine: ContainerEngine) -> dict[str, Any]:
    """The newest base that runs here, whoever made it and from whichever recipe; nothing is made."""
    with engine_errors("look for a base image"):
        listed = engine.client.api.images(filters={"label": f"{LABEL_ROLE}=base"})
        bases = [one for one in listed if not _is_cuda(one)]
        # Bases of other architectures are there to build from.
        found = [one for one in bases if _architecture(engine, one) == engine.architecture]
    if not found:
        return {}
    recipe = _current_recipe()
    image = next((one for one in found if _labels(one).get(LABEL_RECIPE) == recipe), found[0])
    labels = _labels(image)
    name = (image.get("RepoTags") or [image["Id"]])[0]
    origin = "pulled" if labels.get(LABEL_ORIGIN) == "pulled" else "made from packages"
    source = labels.get(LABEL_SOURCE, "?")
    if origin != "pulled":
        source = source.partition(":")[0]  # the suite; the list of its packages is for the record, not for a table
    detail = f"{name}, Python {labels.get(LABEL_PYTHON, '?')}, {origin} ({source})"
    current = labels.get(LABEL_RECIPE) == recipe
    if not current:
        detail += "; from an earlier version, the next build makes it anew"
    return {"base_image": str(image["Id"]), "base_current": current, "base_detail": detail}


def _is_cuda(image: Mapping[str, Any]) -> bool:
    return LABEL_ACCELERATOR in _labels(image)


def _architecture(engine: ContainerEngine, image: Mapping[str, Any]) -> str:
    facts = engine.client.api.inspect_image(image["Id"])  # type: ignore[no-untyped-call]
    return str(facts["Architecture"])


def _current_recipe() -> str | None:
    from images.base.recipe import read_recipe

    try:
        return read_recipe().digest
    except MixpeekError:
        return None


def _labels(image: Mapping[str, Any]) -> Mapping[str, str]:
    return image.get("Labels") or {}
