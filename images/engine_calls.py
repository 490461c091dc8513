"""The engine's calls that images need, with its failures in our words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from toolchain.core.containers.faults import engine_errors, engine_refusal, pull_refusal
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused

# An engine is silent while it unpacks: 300 MB took 2 s here, and a slow disk may need a hundred times that.
_PATIENCE: Final = 900.0


def inspect_image(engine: ContainerEngine, reference: str) -> dict[str, Any] | None:
    """What the engine knows of an image, or ``None`` when it has none of that name. One round trip, 2 ms here."""
    import docker.errors

    with engine_errors("look for an image"):
        try:
            found: dict[str, Any] = engine.client.api.inspect_image(reference)  # type: ignore[no-untyped-call]
        except docker.errors.ImageNotFound:
            return None
    return found


def load_archive(engine: ContainerEngine, archive: Iterable[bytes]) -> None:
    """Stream an image archive to the engine. Raises ``EngineRefused`` when it does not take it."""
    _post(engine, _Call("images/load", "load an image", {"quiet": "1"}, archive))


def build_image(engine: ContainerEngine, context: Iterable[bytes], tag: str, **parameters: str) -> dict[str, Any]:
    """Build a context without network and return the inspected result. Raises ``EngineRefused``.

    This is the classic builder, which every engine has; BuildKit's needs a session of its own protocol.
    """
    fixed = {"t": tag, "networkmode": "none", "rm": "1", "forcerm": "1"}
    _post(engine, _Call("build", "build an image", {**fixed, **parameters}, context))
    built = inspect_image(engine, tag)
    if built is None:
        raise engine_refusal("build an image", "it reports success and has no image")
    return built


def pull_image(engine: ContainerEngine, reference: str, architecture: str, silence: float) -> None:
    """Let the engine pull ``reference``.

    Raises ``RegistryUnreachable``, also when nothing comes for ``silence`` seconds, and ``EngineRefused`` for what
    else went wrong.
    """
    # A colon after the last slash separates a tag; one before it, a registry's port.
    named = ":" in reference.rpartition("/")[2] or "@" in reference
    parameters = {"fromImage": reference, "platform": f"linux/{architecture}"}
    parameters = parameters if named else {**parameters, "tag": "latest"}
    try:
        _post(engine, _Call("images/create", "pull an image", parameters, None, silence))
    except EngineRefused as refusal:
        raise pull_refusal(refusal) from refusal


def remove_image(engine: ContainerEngine, image: str) -> bool:
    """Remove an image or name that nothing uses; returns whether it is gone. Never raises for one that stays."""
    import docker.errors
    import requests

    try:
        engine.client.api.remove_image(image, force=False, noprune=False)
    except docker.errors.NotFound:
        return True
    except (docker.errors.APIError, requests.RequestException):
        return False
    return True


def list_images(engine: ContainerEngine, label: str) -> list[Mapping[str, Any]]:
    """All images that carry ``label`` ("name" or "name=value")."""
    with engine_errors("list images"):
        return list(engine.client.api.images(filters={"label": label}))


@dataclass(frozen=True)
class _Call:
    """One streaming call: ``doing`` completes "could not …", ``patience`` is in seconds without a byte."""

    path: str
    doing: str
    parameters: Mapping[str, str]
    body: Iterable[bytes] | None
    patience: float = _PATIENCE


def _post(engine: ContainerEngine, call: _Call) -> None:
    """Make the call. The SDK's own methods take the client's deadline of 60 s, and files where we have streams."""
    import requests

    api = engine.client.api
    with engine_errors(call.doing):
        try:
            response = api.post(
                f"{api.base_url}/v{engine.api_version}/{call.path}",
                data=None if call.body is None else iter(call.body),
                params=dict(call.parameters),
                headers={"Content-Type": "application/x-tar"} if call.body is not None else {},
                timeout=call.patience,
                stream=True,
            )
            lines = [line for line in response.iter_lines() if line]
        except requests.ReadTimeout:
            if call.patience == _PATIENCE:
                raise
            raise engine_refusal(call.doing, f"nothing came for {call.patience:g} s") from None
    events = list(_events(lines))
    if problem := next((event["error"] for event in events if event.get("error")), None):
        raise engine_refusal(call.doing, f"{problem} {_last_words(events)}".strip())
    if response.status_code >= 400:
        text = b" ".join(lines).decode(errors="replace")
        raise engine_refusal(call.doing, str(events[0].get("message") or text) if events else text)


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                yield event


def _last_words(events: list[dict[str, Any]]) -> str:
    """The end of what the failing step itself printed, without the builder's own lines."""
    said = [str(event["stream"]).strip() for event in events[-30:] if event.get("stream")]
    said = [line for line in said if line and not line.startswith(("Removing intermediate", "--->", "Step "))]
    return f"({' '.join(said)[-200:]})" if said else ""
