"""Models of imports by name and of code given as text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from toolchain.scan.evaluate import pure
from toolchain.scan.evaluate.interpreter import Activation, Call, Interpreter, Model
from toolchain.scan.evaluate.judges.text import argument
from toolchain.scan.evaluate.modules import import_module
from toolchain.scan.evaluate.values import UNKNOWN, Const, Value, each, join, texts


def of_import(it: Interpreter, request: Call) -> Value:
    """``__import__("a.b")`` gives ``a``; ``import_module`` gives ``a.b``; names not known stay so."""
    return _import_named(it, request, top=True)


def of_import_module(it: Interpreter, request: Call) -> Value:
    return _import_named(it, request, top=False)


def _import_named(it: Interpreter, request: Call, *, top: bool) -> Value:
    name = request.args[0] if request.args else request.kwargs.get("name", UNKNOWN)
    found: list[Value] = []
    for text in texts(name):
        if text.startswith("."):
            text = text.lstrip(".")  # noqa: PLW2901 - a relative name is looked up from the tree's root
        if not text.replace(".", "").isidentifier():
            continue
        module = import_module(it, text, request.node)
        plain = top and "." in text and "fromlist" not in request.kwargs and len(request.args) < 4
        found.append(import_module(it, text.partition(".")[0], request.node) if plain else module)
    return join(found)


def read_code(it: Interpreter, request: Call) -> Value:
    """Code given as text is read as well: what it reaches is reached."""
    if not request.args or it.depth > 12:
        return UNKNOWN
    result: list[Value] = []
    for option in each(request.args[0]):
        source = option.value if isinstance(option, Const) else None
        if not isinstance(source, (str, bytes)) or len(source) > pure.LIMIT:
            continue
        try:
            tree = ast.parse(source.strip())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        before, it.module.text_line = (
            it.module.text_line,
            it.module.text_line or getattr(request.node, "lineno", 1),
        )
        try:
            with it.inside(it.frame, it.module, Activation()):
                if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
                    result.append(it.evaluate(tree.body[0].value))
                else:
                    it.execute(tree.body)
        finally:
            it.module.text_line = before
    return join(result)


def reading(path: str, changed: Callable[[str], str] = str) -> Model:
    """A function that runs a text which one of its arguments is, after a change to plain Python."""

    def read(it: Interpreter, request: Call) -> Value:
        given = argument(it.policy.texts[path], request)
        found = [Const(changed(text)) for value in given for text in texts(value)]
        return read_code(it, Call([join(found)], {}, request.node)) if found else UNKNOWN

    return read


def without_marks(text: str) -> str:
    """A text of ``pandas.eval``: an @ before a name says that it is one of ours."""
    return text.replace("@", "")


def without_tilde(text: str) -> str:
    """A formula, of which both sides are expressions: ``y ~ x``."""
    return text.replace("~", "+")


def of_resolve_name(it: Interpreter, request: Call) -> Value:
    """``pkgutil.resolve_name("a.b:c.d")``, ``pydoc.locate("a.b.c")`` and their like."""
    if not request.args:
        return UNKNOWN
    found = []
    for text in texts(request.args[0]):
        value = it.ref(text.replace(":", "."), (f"line {getattr(request.node, 'lineno', 1)}: resolved by name",))
        found.append(it.mention(value, request.node))
    return join(found)


_PIECES = re.compile(r"\{\{-?(.*?)-?\}\}|\{%-?(.*?)-?%\}", re.DOTALL)
_TAG = re.compile(r"\s*(?:raw|set|if|elif|module|for\b.*?\bin)\b\s*")
_WAYS = re.compile("__(?:class|subclasses|globals|builtins|bases?|mro|import)__")


def of_template(it: Interpreter, request: Call) -> Value:
    """A literal template, whose expressions are read as code; its engine gives them every attribute."""
    given = request.args[:1] or list(request.kwargs.values())[:1]
    for text in (text for value in given for text in texts(value)):
        for expression, statement in _PIECES.findall(text[: pure.LIMIT]):
            piece = expression or _TAG.sub("", statement, count=1)
            if _WAYS.search(piece):
                it.emit_named("introspection.builtins", "template", request.node, piece.strip()[:80])
            read_code(it, Call([Const(piece)], {}, request.node))
    return UNKNOWN


def of_implementation(it: Interpreter, request: Call) -> Value:
    """``fsspec.register_implementation("x", "a.b.C")``: the name is looked up when it is asked for."""
    return of_resolve_name(it, Call(request.args[1:2], {}, request.node))
