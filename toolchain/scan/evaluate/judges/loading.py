"""Loaders that unpickle, or do not, by what they are told: a judge for each library."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.judges.truth import may_be_false, may_be_true, surely_true
from toolchain.scan.evaluate.values import (
    Class,
    Ref,
    Value,
    each,
    texts,
)

NOT_GIVEN = "weights_only is not given"

_Judge = Callable[[Interpreter, str, Call], "str | None"]


def judge_loading(it: Interpreter, path: str, request: Call) -> str | None:
    """What makes this load unsafe."""
    for prefix, judge in _BY_LIBRARY.items():
        if path.startswith(prefix):
            return judge(it, path, request)
    return "loads by unpickling"


def _harmless(_it: Interpreter, _path: str, _request: Call) -> str | None:
    return None


def _torch(_it: Interpreter, _path: str, request: Call) -> str | None:
    given = request.kwargs.get("weights_only")
    if given is None:
        return NOT_GIVEN
    return None if surely_true(given) else "weights_only may be false"


def _numpy(_it: Interpreter, path: str, request: Call) -> str | None:
    position = request.args[2] if len(request.args) > 2 and path.endswith(".load") else None
    given = request.kwargs.get("allow_pickle", position)
    return "allow_pickle may be true" if given is not None and may_be_true(given) else None


def _keras(_it: Interpreter, path: str, request: Call) -> str | None:
    position = request.args[3] if len(request.args) > 3 and path.endswith(".load_model") else None
    given = request.kwargs.get("safe_mode", position)
    return "safe_mode is off" if given is not None and may_be_false(given) else None


def _skops(_it: Interpreter, _path: str, request: Call) -> str | None:
    return "trusted=True" if surely_true(request.kwargs.get("trusted")) else None


def _loader_names(it: Interpreter, loader: Value, depth: int = 4) -> Iterator[str]:
    """The library's loaders that a loader is, or is a subclass of."""
    loader = it.force(loader)
    if isinstance(loader, Ref):
        yield loader.path.rpartition(".")[2]
    elif isinstance(loader, Class) and depth:
        for base in loader.bases:
            for option in each(base):
                yield from _loader_names(it, option, depth - 1)


def _yaml(it: Interpreter, path: str, request: Call) -> str | None:
    if path.endswith(".YAML"):
        kind = request.kwargs.get("typ")
        return "typ='unsafe'" if kind is not None and "unsafe" in set(texts(kind)) else None
    loader = request.kwargs.get("Loader", request.args[1] if len(request.args) > 1 else None)
    if loader is None:
        return "no Loader is given"
    names = [name for option in each(loader) for name in _loader_names(it, option)]
    if any(
        name in {"Loader", "UnsafeLoader", "FullLoader", "CLoader", "CFullLoader", "CUnsafeLoader"}
        for name in names
    ):
        return f"Loader={names[0]}"
    return None


_BY_LIBRARY: dict[str, _Judge] = {
    "torch.jit": _harmless,
    "torch": _torch,
    "numpy": _numpy,
    "yaml.": _yaml,
    "ruamel.": _yaml,
    "keras.": _keras,
    "tf_keras.": _keras,
    "tensorflow.": _keras,
    "skops.": _skops,
    "accelerate.": _harmless,
    "pandas.read_hdf": _harmless,
    "polars.DataFrame.deserialize": _harmless,
    "spacy.load": _harmless,
}
"""By the beginning of the name; the first that fits."""
