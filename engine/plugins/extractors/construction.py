"""How a processor is constructed from a step's settings.

Published processors differ in their constructors: ``(config, progress_actor=None)``, ``(config)``,
``(config=None, **kwargs)`` and ``()`` all occur, so the signature decides what is passed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def construct_service(factory: Callable[..., Any], config: Any, progress_actor: Any) -> Callable[[Any], Any]:
    """Call ``factory`` with ``config``, and with ``progress_actor`` where its signature accepts one.

    A factory that needs nothing is called without ``config`` when that is None. Raises TypeError when the
    signature cannot take the settings or the result is not callable; what the factory raises goes through.
    """
    name = getattr(factory, "__name__", type(factory).__name__)
    arguments, keywords = _arguments(factory, config, progress_actor)
    _check_binding(factory, name, arguments, keywords)
    service = factory(*arguments, **keywords)
    if not callable(service):
        raise TypeError(
            f"{name} gave a {type(service).__name__}, which cannot be called. Give the processor a "
            "__call__(self, batch) method that returns the batch."
        )
    return service  # type: ignore[no-any-return]  # callable() narrows Any no further


def _arguments(factory: Callable[..., Any], config: Any, progress_actor: Any) -> tuple[list[Any], dict[str, Any]]:
    parameters = _parameters(factory)
    if parameters is None:  # a built-in without a signature: the contract's first argument, nothing else
        return ([] if config is None else [config]), {}
    keywords: dict[str, Any] = {}
    any_keyword = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    named = {p.name: p for p in parameters if p.kind in {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}}
    if "progress_actor" in named or any_keyword:
        keywords["progress_actor"] = progress_actor
    settings = [p for p in parameters if p.name != "progress_actor"]
    required = any(p.default is Parameter.empty and not _is_variadic(p) for p in settings)
    if config is None and not required:
        return [], keywords
    first_is_progress = bool(parameters) and parameters[0].name == "progress_actor"
    by_position = any(p.kind in {*_BY_POSITION, Parameter.VAR_POSITIONAL} for p in settings)
    if by_position and not first_is_progress:
        return [config], keywords
    if "config" in named or any_keyword:
        return [], {**keywords, "config": config}
    return [config], keywords


def _check_binding(factory: Callable[..., Any], name: str, arguments: list[Any], keywords: dict[str, Any]) -> None:
    """Tell a constructor that cannot take the settings from one that raises TypeError of its own."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        raise TypeError(
            f"{name}{signature} cannot be called with a step's config: {error}. Declare "
            "__init__(self, config, progress_actor=None), or set the step's config to fit."
        ) from error


def _parameters(factory: Callable[..., Any]) -> list[Parameter] | None:
    try:
        return list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):
        return None


def _is_variadic(parameter: Parameter) -> bool:
    return parameter.kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
