"""The engine's calls that images need, with its failures in our words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused, EngineUnavailable

# An engine is silent while it unpacks: 300 MB took 2 s here, and a slow disk may need a hundred times that.
LOAD_SECONDS: Final = 900


@contextmanager
def engine_faults(engine: ContainerEngine, doing: str) -> Iterator[None]:
    """Turn what the SDK raises while ``doing`` into ``EngineUnavailable`` or ``EngineRefused``."""
    import docker.errors
    import requests
    import urllib3

    try:
        yield
    except docker.errors.APIError as reason:
        raise refused(doing, str(reason.explanation or reason)) from reason
    except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as reason:
        raise EngineUnavailable(
            f"the container engine stopped answering while {doing}: {_short(str(reason))}",
            where=engine.address,
            remedy="see whether the engine still runs (`mixpeek doctor`), then run the same command again",
        ) from reason


def refused(doing: str, explanation: str) -> EngineRefused:
    """The error for an engine that answered with a refusal."""
    text = _short(explanation)
    if "no space left" in text.lower():
        return EngineRefused(
            f"the engine's disk is full while {doing}", remedy="free some space (`docker system df`) and try again"
        )
    return EngineRefused(f"the engine refused while {doing}: {text}", remedy="run `mixpeek doctor`")


def inspect_image(engine: ContainerEngine, reference: str) -> dict[str, Any] | None:
    """What the engine knows of an image, or ``None`` when it has none of that name. One round trip, 2 ms here."""
    import docker.errors

    with engine_faults(engine, "looking for an image"):
        try:
            return dict(engine.client.api.inspect_image(reference))
        except docker.errors.ImageNotFound:
            return None


def load_archive(engine: ContainerEngine, archive: Iterable[bytes]) -> str:
    """Stream an image archive to the engine and return what it said. Raises ``EngineRefused`` when it would not."""
    api = engine.client.api
    with engine_faults(engine, "loading an image"):
        response = api.post(
            f"{api.base_url}/v{engine.api_version}/images/load",
            data=iter(archive),
            params={"quiet": "1"},
            headers={"Content-Type": "application/x-tar"},
            timeout=LOAD_SECONDS,
        )
        text = response.text
    if response.status_code >= 400:
        raise refused("loading an image", _message(text))
    for event in _events(text):
        if problem := event.get("error"):
            raise refused("loading an image", str(problem))
    return text


def tag_image(engine: ContainerEngine, image: str, tag: str) -> None:
    """Give ``image`` the name ``tag``."""
    repository, _, version = tag.rpartition(":")
    with engine_faults(engine, "naming an image"):
        engine.client.api.tag(image, repository, version)


def remove_image(engine: ContainerEngine, image: str) -> bool:
    """Remove an image that nothing uses; returns whether it went. Never raises for one that stays."""
    import docker.errors
    import requests

    with suppress(docker.errors.APIError, requests.RequestException):
        engine.client.api.remove_image(image, force=False, noprune=False)
        return True
    return False


def list_images(engine: ContainerEngine, label: str) -> list[Mapping[str, Any]]:
    """All images that carry ``label`` ("name" or "name=value")."""
    with engine_faults(engine, "listing images"):
        return list(engine.client.api.images(filters={"label": label}))


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def _message(text: str) -> str:
    with suppress(ValueError):
        return str(json.loads(text).get("message") or text)
    return text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:297] + "..."
