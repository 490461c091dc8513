"""Models of what takes attributes and items by name: ``getattr``, ``vars``, ``operator``, format strings."""

from __future__ import annotations

from toolchain.scan.evaluate.dynamic import dynamic_attribute, nameless_attribute
from toolchain.scan.evaluate.interpreter import Call, Interpreter, Model
from toolchain.scan.evaluate.judge import judge_merged_environment, judge_search_path
from toolchain.scan.evaluate.methods import follow_field, reach_in_format
from toolchain.scan.evaluate.subscripts import lose_all, set_attribute, set_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    FrameDict,
    Getter,
    Map,
    Namespace,
    Ref,
    Seq,
    Value,
    each,
    join,
    texts,
)


def of_getattr(it: Interpreter, request: Call) -> Value:
    if len(request.args) < 2:
        return UNKNOWN
    default = request.args[2] if len(request.args) > 2 else None
    return dynamic_attribute(it, request.args[0], request.args[1], request.node, default)


def of_getmembers(it: Interpreter, request: Call) -> Value:
    """``inspect.getmembers(x)``: pairs of a name and any attribute of x."""
    anything = nameless_attribute(it, request.args[0], request.node) if request.args else UNKNOWN
    return Seq("list", [Seq("tuple", [UNKNOWN, anything])], exact=False)


def of_setattr(it: Interpreter, request: Call) -> Value:
    if len(request.args) >= 3:
        if any(not isinstance(option, Const) for option in each(request.args[1])):
            lose_all(it, request.args[2])
        for text in texts(request.args[1]):
            if text == "__code__":
                it.emit_named("code.construct", "?.__code__", request.node, "the code of a function is replaced")
            set_attribute(it, request.args[0], text, request.args[2])
    return Const(None)


def of_vars(it: Interpreter, request: Call) -> Value:
    return Namespace(request.args[0]) if request.args else FrameDict(it.frame)


def getter(kind: str) -> Model:
    return lambda _it, request: Getter(kind, request.args, dict(request.kwargs))


def of_getitem(it: Interpreter, request: Call) -> Value:
    return it.item(request.args[0], request.args[1], request.node) if len(request.args) > 1 else UNKNOWN


def of_setitem(it: Interpreter, request: Call) -> Value:
    if len(request.args) > 2:
        set_item(it, request.args[0], request.args[1], request.args[2], request.node)
    return Const(None)


def of_added(it: Interpreter, request: Call) -> Value:
    """``operator.iadd(sys.path, [x])`` and ``operator.ior(os.environ, {…})``."""
    for added in request.args[1:2]:
        judge_merged_environment(it, request.args[0], added, request.node)
        if any(isinstance(option, Ref) and option.path == "sys.path" for option in each(request.args[0])):
            judge_search_path(it, added, request.node)
    return request.args[0] if request.args else UNKNOWN


def of_get_field(it: Interpreter, request: Call) -> Value:
    found = []
    if len(request.args) >= 2:
        inner = request.args[1]
        args = inner.items if isinstance(inner, Seq) else []
        last = request.args[2] if len(request.args) > 2 else Map()
        kwargs = {str(k): v for k, v in last.items.items()} if isinstance(last, Map) else {}
        found = [follow_field(it, text, Call(args, kwargs, request.node)) for text in texts(request.args[0])]
    return Seq("tuple", [join(found), UNKNOWN])


def of_formatter(it: Interpreter, request: Call) -> Value:
    for option in each(request.args[0]) if request.args else ():
        if isinstance(option, Const):
            reach_in_format(it, option, Call(request.args[1:], request.kwargs, request.node))
    return UNKNOWN
