"""Calls the plugin's realtime handler once, as the platform's HTTP endpoint would."""

from __future__ import annotations

import asyncio
import inspect
import time
from importlib import import_module
from types import ModuleType
from typing import Any

from sandbox.guest.stages import StageContext
from sandbox.guest.stages.loading import Problems, public_name
from sandbox.guest.stages.plain import plain
from sandbox.guest.stages.reading import SampleRefused, first_row

_KEY_LIMIT = 100
_NAME_LIMIT = 200
_VECTOR_LIMIT = 65_537  # one more than the longest that the platform takes
_NUMBERS_LIMIT = 200_000  # in all vectors together: at some 20 bytes each they fit into a message


def run(context: StageContext) -> tuple[dict[str, Any], bytes]:
    """What ``predict`` made of the first sample row: its keys, its vector, its time in seconds."""
    problems = Problems(context.root)
    body: dict[str, Any] = {"problems": problems.items, "response": None, "seconds": None}
    context.emit("importing realtime.py")
    module = problems.attempt("realtime.import", lambda: import_module(f"{context.name}.realtime"))
    if module is None:
        return body, b""
    handler = _handler(module, problems)
    if handler is None:
        return body, b""
    try:
        request = first_row(context) or {}
    except SampleRefused:
        request = {}  # the samples stage says what is wrong with the file
    context.emit("calling the realtime handler")
    started = time.perf_counter()
    response = problems.attempt("realtime.predict", lambda: _call(handler, dict(request)))
    body["seconds"] = time.perf_counter() - started
    body["request_keys"] = sorted(map(str, request))
    if response is not None or not problems.items:
        body["response"] = problems.attempt("realtime.predict", lambda: _describe(response))
    return body, b""


def _handler(module: ModuleType, problems: Problems) -> Any | None:
    """An instance of the first handler class that the module offers under one of its published names.

    ``RealtimeHandler`` is the contract's; ``InferenceService`` and ``get_inference_service`` are other published
    shapes that need no more than a call.
    """
    for name in ("RealtimeHandler", "InferenceService", "get_inference_service"):
        offered = getattr(module, name, None)
        if callable(offered):
            return problems.attempt("realtime.construct", offered)
    problems.add("realtime.handler-missing", "realtime.py has no class RealtimeHandler", file="realtime.py")
    return None


def _call(handler: Any, request: dict[str, Any]) -> Any:
    for name, arguments in (
        ("predict", (request,)),
        ("run_inference", (request, {})),
        ("__call__", (request, {})),
    ):
        method = getattr(handler, name, None)
        if callable(method):
            answer = method(*arguments)
            return asyncio.run(_wait(answer)) if inspect.isawaitable(answer) else answer
    raise TypeError(f"{public_name(type(handler))} has no method predict(request)")


async def _wait(answer: Any) -> Any:
    return await answer


def _describe(response: Any) -> dict[str, Any]:
    """The response by its keys; vectors as plain lists of numbers for the host to check."""
    if not isinstance(response, dict):
        return {"kind": type(response).__name__}
    vectors: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    left = _NUMBERS_LIMIT
    for key, value in list(response.items())[:_KEY_LIMIT]:
        name = str(key)[:_NAME_LIMIT]
        values = value.tolist() if hasattr(value, "tolist") else value
        if _is_vector(values) and left > 0:
            vectors[name] = [plain(float(item)) for item in values[: min(left, _VECTOR_LIMIT)]]
            left -= len(vectors[name])
        else:
            rest[name] = plain(value)
    return {"kind": "dict", "keys": [*vectors, *rest], "vectors": vectors, "values": plain(rest)}


def _is_vector(values: Any) -> bool:
    return (
        isinstance(values, (list, tuple))
        and bool(values)
        and all(isinstance(item, (int, float)) for item in values)
    )
