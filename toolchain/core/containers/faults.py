"""Turns what engines and the docker SDK say into our errors: the engine is gone, or it refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolchain.core.errors import (
    EngineDiskFull,
    EngineRefused,
    EngineUnavailable,
    MixpeekError,
    RegistryUnreachable,
)

if TYPE_CHECKING:
    import docker.errors

# What dockerd answers with status 500 when its containerd died: gRPC's words for a peer that is gone.
_DEAD_BACKEND = ("transport is closing", "connection error: desc", "containerd.sock: connect:", "ttrpc: closed")
# What engines say of a registry that they could not reach: Go's words for it, and ours.
_UNREACHABLE = (
    "dial tcp",
    "no such host",
    "connection refused",
    "connection reset",
    "is unreachable",
    "no route to host",
    "timeout",
    "timed out",
    "awaiting headers",
    "waiting for connection",
    "proxyconnect",
    ": eof",
    "nothing came for",
)
# A failing build step may be quoted whole.
_WORDS_LIMIT = 400


@contextmanager
def engine_errors(doing: str) -> Iterator[None]:
    """Wrap calls to an engine; ``doing`` completes the sentence "could not …" (``"start the container"``).

    Raises ``EngineUnavailable`` when the engine is gone or silent (connection refused, reset, closed early, timed
    out, its socket removed) and ``EngineRefused`` with the engine's own words when it answered with an error.
    Anything else, our own errors included, passes through unchanged.
    """
    try:
        yield
    except MixpeekError:
        raise
    except Exception as reason:
        fault = _translate(reason, doing)
        if fault is None:
            raise
        raise fault from reason


def engine_words(refusal: EngineRefused) -> str:
    """What the engine itself said when it refused, without our words around it."""
    return _words(refusal.__cause__ or refusal)


def _translate(reason: Exception, doing: str) -> MixpeekError | None:
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    if isinstance(reason, docker.errors.APIError):
        return _answered(reason, doing)
    # The SDK wraps a failed first request into a bare DockerException.
    wrapped = reason.__context__ if isinstance(reason, docker.errors.DockerException) else None
    for cause in (reason, wrapped):
        if isinstance(cause, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
            return _gone(doing, "the engine did not answer in time")
        if isinstance(
            cause, (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, ConnectionError)
        ):
            return _gone(doing, f"the engine does not answer ({_root(cause)})")
    return engine_refusal(doing, str(reason)) if isinstance(reason, docker.errors.DockerException) else None


def _answered(reason: docker.errors.APIError, doing: str) -> MixpeekError:
    words = _words(reason)
    if reason.is_server_error() and any(mark in words for mark in _DEAD_BACKEND):
        return _gone(doing, f"the engine's own back end died ({words})")
    return engine_refusal(doing, words)


def _words(reason: BaseException) -> str:
    """The engine's explanation, without the SDK's "500 Server Error for http+docker://…" around it."""
    return str(getattr(reason, "explanation", None) or reason).strip()


def _root(reason: BaseException) -> str:
    """The innermost cause in words: requests and urllib3 wrap an OSError three deep."""
    seen: set[int] = set()
    while id(reason) not in seen:
        seen.add(id(reason))
        inner = next((part for part in reversed(reason.args) if isinstance(part, BaseException)), None)
        inner = inner or reason.__cause__ or getattr(reason, "reason", None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return str(reason)


def _gone(doing: str, why: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"could not {doing}: {why}",
        remedy="run `mixpeek doctor` to see whether the engine is up, then run the same command again",
    )


def engine_refusal(doing: str, words: str) -> EngineRefused:
    """The error for an engine that answered with ``words`` when it was to ``doing``; a full disk has its own."""
    words = " ".join(words.split())
    if "no space left" in words.lower():
        return EngineDiskFull(
            f"could not {doing}: the engine's disk is full",
            remedy="free some space (`docker system df`) and try again",
        )
    return EngineRefused(
        f"could not {doing}: the engine says: {words[:_WORDS_LIMIT]}",
        remedy="run `mixpeek doctor` to see what this engine can do; if it can all we need, report this message",
    )


def pull_refusal(refusal: EngineRefused) -> EngineRefused:
    """``refusal`` of a pull as what it is: ``RegistryUnreachable`` when no registry answered the engine."""
    words = refusal.message.lower()
    if isinstance(refusal, EngineDiskFull) or not any(mark in words for mark in _UNREACHABLE):
        return refusal
    return RegistryUnreachable(refusal.message, remedy=refusal.remedy)
