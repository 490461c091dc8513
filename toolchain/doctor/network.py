"""Whether packages and images can be had from here."""

from __future__ import annotations

import ssl
import time
from urllib.parse import urlsplit, urlunsplit

from toolchain.core.containers import ContainerEngine, engine_errors, engine_words
from toolchain.core.errors import EngineRefused, EngineUnavailable
from toolchain.doctor.machine import mmdebstrap_installed, mmdebstrap_remedy
from toolchain.doctor.model import Check, Status, Surroundings, ok

_PUBLIC_INDEX = "https://pypi.org/simple"
# Of the packages every index has; its page is small.
_PROJECT = "pip"
_INDEX_SECONDS = 4.0
_REGISTRY_SECONDS = 4
# In every mirror of the public registry; only its manifest is asked for.
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
    tool = mmdebstrap_installed(surroundings)
    registry = _registry(engine, surroundings, tool)
    return [_base(surroundings), registry, _tool(tool, needed=registry.status is Status.ERROR)]


def _registry(engine: ContainerEngine, surroundings: Surroundings, tool: str | None) -> Check:
    if engine.kind == "podman":
        return Check("image-registry", Status.NOTE, "not probed: podman can only be asked for it by a pull")
    refusal = registry_refusal(engine)
    if refusal is None:
        return ok("image-registry", "the engine reaches its image registry")
    worst = Status.NOTE if surroundings.base_image else Status.WARNING if tool else Status.ERROR
    detail = f"out of the engine's reach: {refusal}"
    return Check("image-registry", worst, detail, _registry_remedy(worst, tool))


def registry_refusal(engine: ContainerEngine) -> str | None:
    """Why a docker engine cannot reach its registry, or ``None``; asks for a manifest, about 4 s at worst."""
    try:
        # Connections of its own: the shared ones are busy in another thread, and their limit is longer.
        own = engine.with_timeout(_REGISTRY_SECONDS)
        try:
            with engine_errors("ask the image registry"):
                own.client.api.inspect_distribution(_TINY_IMAGE)  # type: ignore[no-untyped-call]
        finally:
            own.close()
    except EngineUnavailable:
        return f"no answer within {_REGISTRY_SECONDS} s"
    except EngineRefused as refused:
        return " ".join(engine_words(refused).split())[-200:]
    return None


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
