"""Whether packages and images can be had from here."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import EngineUnavailable, MixpeekError
from toolchain.doctor.machine import mmdebstrap_installed, mmdebstrap_remedy
from toolchain.doctor.model import Check, Status, Surroundings, ok

if TYPE_CHECKING:
    import docker

_PUBLIC_INDEX = "https://pypi.org/simple"
# Of the packages every index has; its page is small.
_PROJECT = "pip"
_INDEX_SECONDS = 4.0
_REGISTRY_SECONDS = 4
# 13 kB in all, and in every mirror of the public registry.
_TINY_IMAGE = "hello-world"


def package_index(surroundings: Surroundings) -> list[Check]:
    """Whether the package index answers, with the user's proxies and certificates."""
    import httpx

    index = (surroundings.index_url or _PUBLIC_INDEX).rstrip("/")
    shown = _redacted(index)
    remedy = "check the network and HTTPS_PROXY, or set MIXPEEK_INDEX_URL to an index that you can reach"
    try:
        with httpx.Client(timeout=_INDEX_SECONDS, follow_redirects=True, verify=_trust(surroundings)) as client:
            began = time.monotonic()
            answer = client.head(f"{index}/{_PROJECT}/")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as reason:
        detail = f"{shown} is out of reach: {str(reason) or type(reason).__name__}"
        return [Check("package-index", Status.ERROR, detail, remedy)]
    # 404 and 405 come from an index that lacks this package or knows no HEAD: it is there all the same.
    if answer.status_code < 400 or answer.status_code in {404, 405}:
        return [ok("package-index", f"{shown} answers in {(time.monotonic() - began) * 1000:.0f} ms")]
    if answer.status_code in {401, 403}:
        remedy = "put user and password into MIXPEEK_INDEX_URL (https://user:password@host/simple)"
    return [Check("package-index", Status.ERROR, f"{shown} answers HTTP {answer.status_code}", remedy)]


def image_sources(surroundings: Surroundings) -> list[Check]:
    """Where a base image comes from: one that is here, a registry, or the distribution's packages."""
    engine = surroundings.engine
    if engine is None:
        return []
    refusal = registry_refusal(engine)
    tool = mmdebstrap_installed(surroundings)
    if refusal is None:
        registry = ok("image-registry", "the engine reaches its image registry")
    else:
        worst = Status.NOTE if surroundings.base_image else Status.WARNING if tool else Status.ERROR
        detail = f"out of the engine's reach: {refusal}"
        registry = Check("image-registry", worst, detail, _registry_remedy(worst, tool))
    return [_base(surroundings), registry, _tool(tool, needed=refusal is not None and not surroundings.base_image)]


def registry_refusal(engine: ContainerEngine) -> str | None:
    """Why the engine cannot reach its registry, or ``None``; asks for a manifest, about 4 s at worst."""
    import docker

    try:
        # A client of its own: the shared one is busy in another thread, and its limit is longer.
        with engine_errors("ask the image registry"):
            client = docker.DockerClient(
                base_url=engine.address, version=engine.api_version, timeout=_REGISTRY_SECONDS
            )
            try:
                if engine.kind == "docker":
                    client.api.inspect_distribution(_TINY_IMAGE)  # type: ignore[no-untyped-call]
                else:
                    _pull(client)  # podman offers no look at a manifest through this API
            finally:
                client.close()
    except EngineUnavailable:
        return f"no answer within {_REGISTRY_SECONDS} s"
    except MixpeekError as refused:
        words = refused.message.rpartition("the engine says: ")[2]
        return " ".join(words.split())[-200:]
    return None


def _pull(client: docker.DockerClient) -> None:
    import docker.errors

    try:
        client.images.get(_TINY_IMAGE)
        had = True
    except docker.errors.ImageNotFound:
        had = False
    client.images.pull(_TINY_IMAGE, tag="latest")
    if not had:
        client.images.remove(_TINY_IMAGE)


def _base(surroundings: Surroundings) -> Check:
    if surroundings.base_image is None:
        return Check("base-image", Status.UNKNOWN, "not made yet", "run `mixpeek doctor --fix`, which makes it")
    return ok("base-image", surroundings.base_detail)


def _registry_remedy(worst: Status, tool: str | None) -> str:
    if worst is Status.NOTE:
        return ""
    if tool:
        return "nothing has to be done: the base image will be made from the distribution's packages"
    return "set HTTPS_PROXY for the engine, or install mmdebstrap to make the base image from packages"


def _tool(tool: str | None, *, needed: bool) -> Check:
    if tool:
        return ok("mmdebstrap", f"{tool}, makes a base image where no registry answers")
    status = Status.ERROR if needed else Status.NOTE
    detail = "not installed; needed only where no image registry answers"
    return Check("mmdebstrap", status, detail, mmdebstrap_remedy())


def _redacted(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}"))


def _trust(surroundings: Surroundings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=surroundings.environment.get("SSL_CERT_FILE") or None)
