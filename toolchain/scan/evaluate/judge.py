"""Calls that their arguments make dangerous or harmless."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import PurePosixPath
from posixpath import normpath

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.judges import JUDGES
from toolchain.scan.evaluate.judges.truth import may_be_true
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    Map,
    Namespace,
    Ref,
    Seq,
    Value,
    each,
    texts,
)
from toolchain.scan.policy import Keyword

_MEMORY_FILE = re.compile(r"/proc/[^/]+/(task/[^/]+/)?mem$|/dev/k?mem$")


_PROCESS_FOLDER = re.compile(r"/?/proc(/(self|thread-self|\d+|\?)(/task(/[^/]+)?)?)?")


# From a process's folder its memory is opened by a relative path.
_ENTERING = frozenset({"os.chdir", "os.open", "os.symlink", "os.link"})


_OPENERS = frozenset(
    {
        "builtins.open",
        "io.open",
        "os.open",
        "pathlib.Path",
        "codecs.open",
        "numpy.memmap",
        "io.FileIO",
        "glob.glob",
        "glob.iglob",
    }
)


_SEARCH_PATH = frozenset(f"sys.path.{name}" for name in ("insert", "append", "extend", "__setitem__", "__iadd__"))
_SETTING = frozenset({"os.putenv", "os.environ.setdefault", "os.environ.__setitem__", "os.environb.setdefault"})
_MERGING = frozenset({"os.environ.update", "os.environ.__ior__"})
_WATCHED = _SEARCH_PATH | _ENTERING | _OPENERS | _SETTING | _MERGING


def judge_call(it: Interpreter, function: Ref, request: Call) -> None:
    """Record the call where policy names it, or where its arguments make it dangerous."""
    rule = it.policy.match(function.path)
    if rule is not None:
        if rule.judge is None:
            it.emit(rule, function.path, request.node, function.trail)
        else:
            note = JUDGES[rule.judge](it, function.path, request)
            if note is not None:
                it.emit(rule, function.path, request.node, function.trail, note)
    if function.path.endswith(".?"):
        unknown = it.policy.match(f"{function.path}()")
        if unknown is not None:
            it.emit(unknown, f"{function.path}()", request.node, function.trail)
    if function.path in _WATCHED:
        _judge_watched(it, function.path, request)
    if function.path not in _OPENERS:
        note_moved(it, request)


def _judge_watched(it: Interpreter, path: str, request: Call) -> None:
    """Calls of the standard library whose paths, files or environment variables decide."""
    if path in _SEARCH_PATH:
        for value in request.args:
            judge_search_path(it, value, request.node)
    if path in _ENTERING:
        for value in request.args[:1]:
            judge_path(it, value, request.node, folder=True)
    if path in _OPENERS:
        for value in (*request.args[:1], *request.kwargs.values()):
            judge_path(it, value, request.node)
        note_dropped(it, *[*request.args, request.kwargs.get("mode", UNKNOWN), UNKNOWN][:2])
    if path in _SETTING:
        for value in request.args[:1]:
            judge_environment(it, it.ref("os.environ"), value, request.node)
    if path in _MERGING:
        for arg in (*request.args, Map(dict.fromkeys(request.kwargs, UNKNOWN))):
            judge_merged_environment(it, it.ref("os.environ"), arg, request.node)


def note_dropped(it: Interpreter, path: Value, mode: Value) -> None:
    """A module that the plugin writes itself: an import of it runs what was written."""
    if any(set(text) & set("wax") for text in texts(mode)):
        for text in texts(path):
            _drop(it, text)


def note_moved(it: Interpreter, request: Call) -> None:
    """A file that something outside may put in a module's place: ``os.replace(a, "late.py")``."""
    if it.package.large and not it.module.names_programs:
        return
    for value in (*request.args, *request.kwargs.values()) if request.kwargs else request.args:
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
        if _MEMORY_FILE.search(path) or _matches_memory(path) or (folder and _PROCESS_FOLDER.fullmatch(path)):
            it.emit_named("memory.native", text, node)


def _matches_memory(pattern: str) -> bool:
    return pattern.startswith("/proc/") and any(PurePosixPath(path).match(pattern) for path in _MEMORY)


_MEMORY = ("/proc/self/mem", "/proc/1/mem")


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
    counts = _is_foreign(value, means.own) if means.own else may_be_true(value)
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


FLAGS = frozenset({"allow_pickle", "weights_only", "safe_mode", "trusted", "Loader", "typ"})
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
