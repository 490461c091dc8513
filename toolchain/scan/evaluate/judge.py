"""Calls that their arguments make dangerous or harmless."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from posixpath import normpath
from typing import Any

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Class,
    Const,
    Function,
    Map,
    Namespace,
    OwnModule,
    Ref,
    Seq,
    Value,
    each,
    texts,
)
from toolchain.scan.policy import Keyword, TextArgument

NOT_GIVEN = "weights_only is not given"


_MEMORY_FILE = re.compile(r"/proc/[^/]+/(task/[^/]+/)?mem$|/dev/k?mem$")


_PROCESS_FOLDER = re.compile(r"/?/proc(/(self|thread-self|\d+|\?)(/task(/[^/]+)?)?)?")


# From a process's folder its memory is opened by a relative path.
_ENTERING = frozenset({"os.chdir", "os.open", "os.symlink", "os.link"})


_OPENERS = frozenset(
    {"builtins.open", "io.open", "os.open", "pathlib.Path", "codecs.open", "numpy.memmap", "io.FileIO"}
)


_SAFE_YAML = frozenset({"SafeLoader", "CSafeLoader", "BaseLoader", "CBaseLoader", "FullLoader_"})


def judge_call(it: Interpreter, function: Ref, request: Call) -> None:
    """Record the call where policy names it, or where its arguments make it dangerous."""
    rule = it.policy.match(function.path)
    if rule is not None:
        if rule.judge is None:
            it.emit(rule, function.path, request.node, function.trail)
        else:
            note = _JUDGES[rule.judge](it, function.path, request)
            if note is not None:
                it.emit(rule, function.path, request.node, function.trail, note)
    if function.path.endswith(".?"):
        unknown = it.policy.match(f"{function.path}()")
        if unknown is not None:
            it.emit(unknown, f"{function.path}()", request.node, function.trail)
    if function.path in _SEARCH_PATH:
        for value in request.args:
            judge_search_path(it, value, request.node)
    if function.path not in _OPENERS:
        note_moved(it, request)
    if function.path in _ENTERING:
        for value in request.args[:1]:
            judge_path(it, value, request.node, folder=True)
    if function.path in _OPENERS:
        for value in (*request.args[:1], *request.kwargs.values()):
            judge_path(it, value, request.node)
        note_dropped(it, *[*request.args, request.kwargs.get("mode", UNKNOWN), UNKNOWN][:2])
    if (
        function.path in {"os.putenv", "os.environ.setdefault", "os.environ.__setitem__", "os.environb.setdefault"}
        and request.args
    ):
        judge_environment(it, it.ref("os.environ"), request.args[0], request.node)
    if function.path in {"os.environ.update", "os.environ.__ior__"}:
        for arg in (*request.args, Map(dict.fromkeys(request.kwargs, UNKNOWN))):
            judge_merged_environment(it, it.ref("os.environ"), arg, request.node)


def note_dropped(it: Interpreter, path: Value, mode: Value) -> None:
    """A module that the plugin writes itself: an import of it runs what was written."""
    if any(set(text) & set("wax") for text in texts(mode)):
        for text in texts(path):
            _drop(it, text)


def note_moved(it: Interpreter, request: Call) -> None:
    """A file that something outside may put in a module's place: ``os.replace(a, "late.py")``."""
    for value in (*request.args, *request.kwargs.values()):
        if type(value) is Const and isinstance(value.value, str) and value.value.endswith(".py"):
            _drop(it, value.value, but=sys.stdlib_module_names)


def _drop(it: Interpreter, path: str, but: frozenset[str] = frozenset()) -> None:
    name = path.rpartition("/")[2].removesuffix(".py")
    if path.endswith(".py") and name not in but and name not in it.package.dropped:
        it.dirty = True  # imports may have been read before
        it.package.dropped.add(name)


def judge_path(it: Interpreter, value: Value, node: ast.AST, *, folder: bool = False) -> None:
    """A process's memory as a file, or the ``folder`` in which it lies."""
    for text in texts(value):
        path = normpath(text) if text.startswith("/") else text
        if _MEMORY_FILE.search(path) or (folder and _PROCESS_FOLDER.fullmatch(path)):
            it.emit_named("memory.native", text, node)


_SEARCH_PATH = frozenset(f"sys.path.{name}" for name in ("insert", "append", "extend", "__setitem__", "__iadd__"))
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run/user")  # noqa: S108 - looked for, not written to


def judge_search_path(it: Interpreter, value: Value, node: ast.AST) -> None:
    """A folder outside of the plugin from which modules are taken: anybody may have put them there."""
    for option in each(value):
        if isinstance(option, Seq):
            for item in option.items[:16]:
                judge_search_path(it, item, node)
        for text in texts(option):
            if text.startswith(_TEMPORARY):
                it.emit_named("import.path", f"sys.path: {text}", node)
            elif text.startswith("/"):
                it.emit_named("import.path-absolute", f"sys.path: {text}", node)


def judge_keywords(it: Interpreter, name: str, kwargs: dict[str, Value], node: ast.AST) -> None:
    """Keywords that hand power on, whoever is called."""
    for keyword, means in it.policy.keywords.items():
        value = kwargs.get(keyword)
        if value is not None and name.endswith(means.called) and _hands_power_on(it, means, value):
            it.emit_named(means.rule, means.shown or f"{name}({keyword}=True)", node)


def _hands_power_on(it: Interpreter, means: Keyword, value: Value) -> bool:
    counts = _is_foreign(value, means.own) if means.own else _may_be_true(value)
    counts = counts or (means.unknown and any(not isinstance(option, Const) for option in each(value)))
    return counts and (not means.imported or _imports(it, means.imported))


def _is_foreign(value: Value, own: str) -> bool:
    return not any(own in text for text in texts(value))


def _imports(it: Interpreter, name: str) -> bool:
    return any(isinstance(value, Ref) and value.path == name for value in it.frame.module.ever.values())


def judge_interface(it: Interpreter, name: str, value: Value | None, node: ast.AST) -> None:
    """An object that tells NumPy to read at an address (``__array_interface__``)."""
    if name not in {"__array_interface__", "__array_struct__"} or value is None:
        return
    for option in each(value):
        data = option.items.get("data") if isinstance(option, Map) else None
        for pointer in each(data) if data is not None else ():
            if isinstance(pointer, Seq) and pointer.kind == "tuple":
                it.emit_named("memory.native", f"?.{name}", node)


def judge_spread(it: Interpreter, value: Value, node: ast.AST) -> None:
    """All that a module has, handed on at once: ``f(**vars(os))``, ``d.update(vars(os))``."""
    for option in each(value):
        for owner in (option, *(option.spread if isinstance(option, Map) else ())):
            if isinstance(owner, Namespace) and isinstance(owner.owner, Ref):
                it.mention(it.ref(f"{owner.owner.path}.?()", owner.owner.trail), node)


def judge_merged_environment(it: Interpreter, target: Value, added: Value, node: ast.AST) -> None:
    """``os.environ |= {…}`` and ``os.environ.update({…})``."""
    for option in each(added):
        for key in option.items if isinstance(option, Map) else ():
            judge_environment(it, target, Const(key), node)


def judge_environment(it: Interpreter, target: Value, key: Value, node: ast.AST) -> None:
    """``os.environ["LD_PRELOAD"] = …``."""
    for option in each(target):
        if isinstance(option, Ref) and option.path in {"os.environ", "os.environb"}:
            for wanted in each(key):
                text = wanted.value if isinstance(wanted, Const) else None
                text = text.decode("latin-1") if isinstance(text, bytes) else text
                means = it.policy.environment.get(text) if isinstance(text, str) else None
                if means is not None:
                    it.emit_named(means.rule, f"os.environ[{text!r}]", node, means.note)


FLAGS = frozenset({"allow_pickle", "weights_only", "safe_mode", "trusted", "Loader", "typ", "sanitize"})
"""The keywords that make a loader unsafe."""

_DEFAULTS = (".__defaults__", ".__kwdefaults__")


def judge_flags(it: Interpreter, function: Value, request: Call) -> None:
    """``functools.partial(numpy.load, allow_pickle=True)``: judged where the flag is given."""
    for option in each(function):
        if isinstance(option, Ref) and not FLAGS.isdisjoint(request.kwargs):
            judge_call(it, option, request)


def judge_defaults(it: Interpreter, path: str, node: ast.AST) -> None:
    """``torch.load.__kwdefaults__["weights_only"] = False``: what a loader takes as given is changed."""
    if path.endswith(_DEFAULTS):
        rule = it.policy.match(path.rpartition(".")[0])
        if rule is not None and rule.id == "data.judged":
            it.emit(rule, path, node, (), "its defaults are replaced")


def _may_be_true(value: Value) -> bool:
    return any(isinstance(option, Const) and bool(option.value) for option in each(value))


def _is(value: Value | None, wanted: object) -> bool:
    return value is not None and all(
        isinstance(option, Const) and option.value is wanted for option in each(value)
    )


def _load(it: Interpreter, path: str, request: Call) -> str | None:
    name = path.rpartition(".")[2]
    kwargs = request.kwargs
    if path.startswith("torch.jit") or path in {"pandas.read_hdf", "polars.DataFrame.deserialize", "spacy.load"}:
        return None
    if path.startswith(("torch.load", "torch.serialization", "torch.hub.load_state", "torch.utils.model_zoo")):
        if _is(kwargs.get("weights_only"), True):
            return None
        return "weights_only may be false" if "weights_only" in kwargs else NOT_GIVEN
    if path.startswith("numpy"):
        position = request.args[2] if len(request.args) > 2 and name == "load" else None
        value = kwargs.get("allow_pickle", position)
        return "allow_pickle may be true" if value is not None and _may_be_true(value) else None
    if path.startswith(("yaml.", "ruamel.")):
        return _yaml(it, path, request)
    if "keras" in path:
        position = request.args[3] if len(request.args) > 3 and name == "load_model" else None
        value = kwargs.get("safe_mode", position)
        return "safe_mode is off" if value is not None and not _is(value, True) and _may_be_false(value) else None
    if path.startswith("skops."):
        value = kwargs.get("trusted")
        return "trusted=True" if value is not None and _is(value, True) else None
    if path.startswith("accelerate."):
        return None
    return "loads by unpickling"


def _may_be_false(value: Value) -> bool:
    return any(isinstance(option, Const) and not option.value for option in each(value))


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


def _mmap(it: Interpreter, path: str, request: Call) -> str | None:
    access = request.kwargs.get("access", request.kwargs.get("prot"))
    if access is not None:
        names = {option.path for option in each(access) if isinstance(option, Ref)}
        if names and names <= {"mmap.ACCESS_READ", "mmap.PROT_READ", "mmap.ACCESS_COPY"}:
            return None
    return "not read-only"


def _configuration(it: Interpreter, path: str, request: Call) -> str | None:
    config = request.args[0] if request.args else request.kwargs.get("config", UNKNOWN)
    return _factory(it, config, request.node, 6)


def _factory(it: Interpreter, value: Value, node: ast.AST, depth: int) -> str | None:
    """A ``()`` factory or an ``ext://`` object that a logging configuration names."""
    found: str | None = None
    for option in each(value) if depth else ():
        if isinstance(option, Map):
            for key, item in option.items.items():
                if key == "()":
                    found = found or _named_factory(it, item, node)
                elif key == "class":
                    found = found or _named_class(it, item, node)
                else:
                    found = found or _factory(it, item, node, depth - 1)
        elif isinstance(option, Seq):
            for item in option.items[:64]:
                found = found or _factory(it, item, node, depth - 1)
        elif (
            isinstance(option, Const)
            and isinstance(option.value, str)
            and option.value.startswith(("ext://", "cfg://"))
        ):
            target = option.value.partition("://")[2]
            if not target.startswith("sys.std"):
                it.mention(it.ref(target), node)
                found = found or f"names {target}" if it.policy.match(it.policy.canonical(target)) else found
    return found


def _named_factory(it: Interpreter, item: Value, node: ast.AST) -> str | None:
    for text in texts(item):
        it.mention(it.ref(text), node)
        rule = it.policy.match(it.policy.canonical(text))
        return f"factory {text}" if rule is not None or not text.startswith("logging.") else None
    return None


def _named_class(it: Interpreter, item: Value, node: ast.AST) -> str | None:
    for text in texts(item):
        rule = it.policy.match(it.policy.canonical(text))
        if rule is not None and rule.default != "allowed":
            it.mention(it.ref(text), node)
            return f"class {text}"
    return None


def _remote_code(it: Interpreter, path: str, request: Call) -> str | None:
    return None


def _text(it: Interpreter, path: str, request: Call) -> str | None:
    """A literal was read as code already; what else may be text is not known before it runs."""
    where = it.policy.texts[path]
    given = argument(where, request)
    if where.beside is not None and not _is_text(argument(where.beside, request), given):
        return None
    if where.listed:
        given = [item for value in given for item in (value.items if isinstance(value, Seq) else [value])]
        given = given or [Const(None)]
    known = all(
        isinstance(option, Const) or (where.objects and _is_object(it, option))
        for value in given
        for option in each(value)
    )
    return None if known and given else "runs the text that it is given"


def _is_object(it: Interpreter, value: Value) -> bool:
    """Whether a value is no text for sure: a class, a function or a module."""
    if isinstance(value, Ref):
        return "(" not in value.path and "?" not in value.path
    return isinstance(it.force(value), (Class, Function, OwnModule))


def _is_text(beside: list[Value], given: list[Value]) -> bool:
    return bool(given) and any(True for value in beside for _ in texts(value))


def argument(where: TextArgument, request: Call) -> list[Value]:
    """The argument at a position or under a keyword; empty where the call does not say."""
    named = request.kwargs.get(where.keyword)
    return request.args[where.position : where.position + 1] or ([named] if named is not None else [])


_HARMLESS_MAGICS = frozenset({
    "alias_magic", "autoawait", "autoreload", "colors", "config", "dirs", "doctest_mode", "env", "history", "html",
    "javascript", "js", "latex", "logstart", "lsmagic", "markdown", "matplotlib", "notebook", "page", "pinfo",
    "pprint", "precision", "psearch", "pylab", "reset", "svg", "tensorboard", "unload_ext", "who", "whos", "xmode",
})  # fmt: skip
_PYTHON_MAGICS = frozenset({"capture", "debug", "memit", "mprun", "pdb", "prun", "time", "timeit"})
_EXTENSIONS = frozenset({"autoreload", "tensorboard", "memory_profiler", "line_profiler", "watermark", "dotenv"})


def _magic(it: Interpreter, path: str, request: Call) -> str | None:
    """``run_line_magic("matplotlib", "inline")``, as exported notebooks have it, runs no other program."""
    given = request.args[:1]
    words = [text.lstrip("%").split() for value in given for text in texts(value)]
    if words and all(isinstance(option, Const) for value in given for option in each(value)):
        wrong = [_one_magic(it, word, request) for word in words]
        return next((reason for reason in wrong if reason), None)
    return "runs any magic"


def _one_magic(it: Interpreter, word: list[str], request: Call) -> str | None:
    """What is wrong with a magic whose name is known; one that runs Python has its text read as code."""
    from toolchain.scan.evaluate.models.code import read_code

    name, given = (word[0] if word else ""), [Const(part) for part in word[1:]]
    rest = [option for value in (*request.args[1:], *request.kwargs.values(), *given) for option in each(value)]
    if name in _PYTHON_MAGICS:
        for text in rest:
            read_code(it, Call([text], {}, request.node))
        return None if all(isinstance(text, Const) for text in rest) else "runs the text that it is given"
    if name in {"load_ext", "reload_ext"}:
        known = all(isinstance(text, Const) and text.value in _EXTENSIONS for text in rest)
        return None if known else "loads any extension"
    return None if name in _HARMLESS_MAGICS else "runs another program"


_JUDGES: dict[str, Callable[[Any, str, Any], str | None]] = {
    "load": _load,
    "mmap": _mmap,
    "configuration": _configuration,
    "remote-code": _remote_code,
    "never": _remote_code,
    "text": _text,
    "magic": _magic,
    "called": lambda _it, _path, _request: "",
}
