"""Imports: the tree's own modules are followed, everything else becomes a reference."""

from __future__ import annotations

import ast
import re
import unicodedata

from toolchain.scan.evaluate.checking import names_at_run_time
from toolchain.scan.evaluate.folding import contents
from toolchain.scan.evaluate.frames import BUILTIN_NAMES, MAYBE_UNBOUND, maybe_unbound
from toolchain.scan.evaluate.interpreter import Activation, Call, Interpreter
from toolchain.scan.evaluate.package import Module
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    Function,
    OwnModule,
    OwnName,
    Ref,
    Value,
    each,
    join,
    join2,
    texts,
)

_FORCE_LIMIT = 12


def import_statement(it: Interpreter, node: ast.Import) -> None:
    """``import a.b as c``."""
    for alias in node.names:
        bound = alias.asname or alias.name.partition(".")[0]
        value = import_module(it, alias.name, node, bound=bound)
        if alias.asname is None:
            root = alias.name.partition(".")[0]
            value = value if root == alias.name else _top(it, root, node)
        it.frame.set(bound, value)


def _is_silent(it: Interpreter, found: Ref, bound: str) -> bool:
    """Whether an import that only type checkers see binds a name that stands in annotations only."""
    if not it.for_checkers or it.policy.match(found.path) is None:
        return False
    return bound not in names_at_run_time(it.module)


def _top(it: Interpreter, root: str, node: ast.AST) -> Value:
    own = it.package.resolve(root)
    if own is not None or it.package.is_folder(root):
        return OwnModule(own if own is not None else root)
    return it.ref(root, (f"line {_line(node)}: import {root}",))


def import_module(it: Interpreter, name: str, node: ast.AST, *, bound: str = "") -> Value:
    """The module of an absolute name, by whatever means it is imported."""
    own = it.package.resolve(name)
    if own is not None:
        return OwnModule(own)
    it.policy.know_module(name)
    if name in it.package.dropped:
        it.emit_named("import.dynamic", name, node, "a module that the plugin writes itself")
    found = it.ref(name, (f"line {_line(node)}: import {name}",))
    return found if bound and _is_silent(it, found, bound) else it.mention(found, node)


def import_from(it: Interpreter, node: ast.ImportFrom) -> None:
    """``from a import b as c`` and ``from . import b``."""
    own, name = _origin(it, node)
    for alias in node.names:
        if alias.name == "*":
            _star(it, name if own is None else own, node, own=own is not None)
            continue
        if own is not None:
            value: Value = _own_member(it, own, alias.name)
        elif name:
            if name in it.package.dropped:
                import_module(it, name, node)
            it.policy.know_module(name)
            path = f"line {_line(node)}: from {name} import {alias.name}"
            found = it.ref(f"{name}.{alias.name}", (path,))
            silent = _is_silent(it, found, alias.asname or alias.name)
            value = found if silent else it.mention(found, node)
        else:
            value = UNKNOWN
        it.frame.set(alias.asname or alias.name, value)


def _origin(it: Interpreter, node: ast.ImportFrom) -> tuple[str | None, str]:
    """(the tree's own module or ``None``, the name of a module from outside)."""
    name = node.module or ""
    if not node.level:
        own = it.package.resolve(name)
        return (own, name) if own is not None or not it.package.is_folder(name) else (name, name)
    parts = it.module.name.split(".") if it.module.name else []
    up = node.level - (1 if it.module.is_package else 0)
    if up > len(parts):
        return None, ""
    base = parts[: len(parts) - up] if up else parts
    return ".".join([*base, *([name] if name else [])]), ""


def _own_member(it: Interpreter, module: str, name: str) -> Value:
    submodule = f"{module}.{name}" if module else name
    if it.package.has(submodule) and not _defines(it, module, name):
        return OwnModule(submodule)
    return OwnName(module, name)


def _defines(it: Interpreter, module: str, name: str) -> bool:
    found = it.package.module(module)
    return found is not None and found.finished and found.frame.get_ever(name) is not None


def _star(it: Interpreter, name: str, node: ast.AST, *, own: bool) -> None:
    if not own:
        star = it.ref(name, (f"line {_line(node)}: from {name} import *",))
        it.mention(star, node)
        it.frame.module.stars.append(star)
        return
    module = evaluated(it, name)
    if module is None:
        return
    it.frame.module.stars.extend(module.frame.stars)
    listed = module.frame.get_ever("__all__")
    for key, value in list(module.frame.ever.items()):
        if key.startswith("__") or (key in BUILTIN_NAMES and listed is not None and key not in _names_in(listed)):
            continue
        imported = OwnName(name, key)
        it.frame.set(key, join2(imported, MAYBE_UNBOUND) if maybe_unbound(value) else imported)


def _names_in(listed: Value) -> set[str]:
    return {text for item in contents(listed) for text in texts(item)}


def evaluated(it: Interpreter, name: str) -> Module | None:
    """One of the tree's modules with its top level evaluated, as far as a cycle of imports allows."""
    if it.package.inert_module(name):
        return None
    module = it.package.module(name)
    if module is not None and module.state == "new" and it.depth < _FORCE_LIMIT * 3:
        run_top_level(it, module)
    return module


def own_attribute(it: Interpreter, module_name: str, name: str, depth: int = _FORCE_LIMIT) -> Value:
    """A name of one of the tree's own modules."""
    module = evaluated(it, module_name)
    submodule = f"{module_name}.{name}" if module_name else name
    if module is not None:
        value = module.frame.get_ever(name)
        if value is not None:
            return join(force(it, option, depth - 1) for option in each(value)) if depth else UNKNOWN
        for star in module.frame.stars:
            if isinstance(star, Ref):
                path = it.policy.canonical(f"{star.path}.{name}")
                if it.policy.match(path) is not None or path in it.policy.carried:
                    return Ref(path, star.trail)
    if it.package.has(submodule) or it.package.is_folder(submodule):
        return OwnModule(submodule)
    hook = module.frame.get_ever("__getattr__") if module is not None else None
    if isinstance(hook, Function) and not name.startswith("__"):
        return it.call(hook, Call([Const(name)], {}, hook.node))
    return UNKNOWN


def force(it: Interpreter, value: Value, depth: int = _FORCE_LIMIT) -> Value:
    """What an imported name of the tree stands for."""
    if isinstance(value, OwnName):
        return own_attribute(it, value.module, value.name, depth) if depth > 0 else UNKNOWN
    return value


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)


_DYNAMIC = re.compile(
    r"\b(?:__import__|eval|exec|compile|globals|locals|vars|builtins|__builtins__"
    r"|importlib|import_module|attrgetter|methodcaller|__getattribute__|codecs|base64|chr"
    r"|runpy|pkgutil|pydoc|putenv|__loader__|__subclasses__|dictConfig|unhexlify)\b"
    r"|^[ \t]*match[ (][^=\n]*:|\bgetattr\([^,\n]+,\s*(?![\"'])",
    re.MULTILINE,
)
"""What a file that puts names together, or walks namespaces, has to say somewhere."""


def run_top_level(it: Interpreter, module: Module) -> None:
    """Evaluate what importing the module would run."""
    assert module.tree is not None
    module.state = "running"
    module.dynamic = is_dynamic(module)
    module.frame.set("__name__", Const(module.name or "__main__"))
    module.frame.set("__file__", Const(module.file))
    with it.inside(module.frame, module, Activation()):
        try:
            it.execute(module.tree.body)
        finally:
            module.state = "done"
            module.frame.doubt()


def is_dynamic(module: Module) -> bool:
    """Whether a file puts names together or walks namespaces: then calls are followed with their arguments."""
    if module.makes_names is None:
        text = module.source.decode("utf-8", "replace")
        text = text if text.isascii() else unicodedata.normalize("NFKC", text)
        module.makes_names = _DYNAMIC.search(text) is not None
    return module.makes_names
