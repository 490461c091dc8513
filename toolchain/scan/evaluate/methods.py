"""Methods of built-in types on abstract receivers, namespaces seen as dictionaries, and operator's getters."""

from __future__ import annotations

from pathlib import PurePosixPath
from string import Formatter
from typing import Any

from toolchain.scan.evaluate import pure
from toolchain.scan.evaluate.dynamic import dynamic_attribute, judge_spelling
from toolchain.scan.evaluate.folding import contents, elements, fold, known, lift
from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.judge import judge_path, judge_spread, note_dropped, note_moved
from toolchain.scan.evaluate.subscripts import forget_item, lose_all, set_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    Dunder,
    FrameDict,
    Getter,
    Map,
    Method,
    Namespace,
    Ref,
    Seq,
    Value,
    each,
    join,
    join2,
    texts,
)


def call_method(it: Interpreter, method: Method, request: Call) -> Value:
    """Call ``receiver.name`` where the receiver is of a built-in type or a namespace."""
    receiver, name, args = method.receiver, method.name, request.args
    if name == "__call__":
        return UNKNOWN
    if name in {"__getattribute__", "__getattr__"} and args:
        return dynamic_attribute(it, args[-2] if len(args) > 1 else receiver, args[-1], request.node)
    if name in {"format", "format_map"} and isinstance(receiver, Const):
        reach_in_format(it, receiver, request)
    if name in {"get", "pop", "__getitem__", "setdefault"} and args and not isinstance(receiver, (Const, Seq)):
        return _get(it, receiver, name, request)
    if name in {"__setitem__", "update", "__setattr__"}:
        _update(it, receiver, name, request)
        return UNKNOWN
    if isinstance(receiver, Map):
        return _of_map(it, receiver, name, request)
    if isinstance(receiver, (Namespace, FrameDict, Dunder)):
        return _of_namespace(it, receiver, name, request)
    if isinstance(receiver, Seq):
        return _of_seq(it, receiver, name, request)
    if isinstance(receiver, Const) and isinstance(receiver.value, pure.PathText):
        return _of_path(it, receiver, name, request)
    if isinstance(receiver, Const):
        arguments = list(args)
        if pure.is_process_path(receiver):
            arguments = [Const(pure.ANYTHING) if arg is UNKNOWN else arg for arg in args]
        if name == "join" and len(args) == 1 and not known(args[0]):
            found = elements(args[0])
            if found is not None:
                return _join_unions(it, receiver, found)
        keywords = request.kwargs
        if keywords and name in {"format", "format_map"}:
            return _format_with(receiver, arguments, keywords)
        arguments += [value for key, value in keywords.items() if key in {"encoding", "byteorder", "sep"}]
        return fold(lambda *items: pure.call_method(items[0], name, list(items[1:])), receiver, *arguments)
    return UNKNOWN


def _of_path(it: Interpreter, receiver: Const, name: str, request: Call) -> Value:
    if name == "joinpath":
        parts = request.args
        if pure.is_process_path(receiver):
            parts = [Const(pure.ANYTHING) if part is UNKNOWN else part for part in parts]
        return fold(lambda *known_parts: pure.PathText("/".join(known_parts)), receiver, *parts)
    if name in {"with_name", "with_suffix"}:
        return fold(lambda path, other: _renamed(path, name, other), receiver, *request.args[:1])
    if name in {"write_text", "write_bytes", "open"}:
        note_dropped(it, receiver, *((request.args or [UNKNOWN])[:1] if name == "open" else [Const("w")]))
    if name in {"open", "read_bytes", "write_bytes", "read_text"}:
        judge_path(it, receiver, request.node)
    if name in {"rename", "replace", "touch"}:
        note_moved(it, request)
    if name in {"symlink_to", "hardlink_to"}:
        for value in request.args[:1]:
            judge_path(it, value, request.node, folder=True)
    return receiver if name in {"resolve", "absolute", "expanduser"} else UNKNOWN


def _renamed(path: str, how: str, other: str) -> pure.PathText:
    return pure.PathText(str(getattr(PurePosixPath(path), how)(other)))


def _join_unions(it: Interpreter, separator: Const, items: list[Value]) -> Value:
    total: Value = Const("" if isinstance(separator.value, str) else b"")
    for position, item in enumerate(items[:512]):
        it.burn()
        if position:
            total = fold(lambda a, b: a + b, total, separator)
        if item is UNKNOWN and pure.is_process_path(total):
            item = Const(pure.ANYTHING)  # noqa: PLW2901 - an unknown part of a path under /proc
        total = fold(lambda a, b: a + b, total, item)
    return total


def _format_with(receiver: Const, args: list[Value], kwargs: dict[str, Value]) -> Value:
    names = list(kwargs)

    def render(*items: Any) -> Any:
        text, values = items[0], items[1:]
        pure.call_method(text, "format", []) if "{" not in text else None
        plain, named = values[: len(args)], dict(zip(names, values[len(args) :], strict=True))
        if any(not isinstance(item, (str, int, float)) for item in values):
            raise pure.TooMuch
        pure.refuse_wide(text)
        return pure.bounded(text.format(*plain, **named))

    return fold(render, receiver, *args, *kwargs.values())


def _get(it: Interpreter, receiver: Value, name: str, request: Call) -> Value:
    found = it.item(receiver, request.args[0], request.node)
    if name == "pop":
        forget_item(receiver, request.args[0])
    if len(request.args) > 1 and (found is UNKNOWN or _lacks(receiver, request.args[0])):
        if name == "setdefault":
            set_item(it, receiver, request.args[0], request.args[1], request.node)
        return join2(found, request.args[1])
    return found


def _lacks(receiver: Value, key: Value) -> bool:
    """Whether a dictionary has a value for other keys only."""
    return isinstance(receiver, Map) and isinstance(key, Const) and key.value not in receiver.items


def _update(it: Interpreter, receiver: Value, name: str, request: Call) -> None:
    if name in {"__setitem__", "__setattr__"} and len(request.args) >= 2:
        set_item(it, receiver, request.args[-2], request.args[-1], request.node)
        return
    for key, value in request.kwargs.items():
        set_item(it, receiver, Const(key), value, request.node)
    for arg in request.args:
        for option in each(arg):
            if isinstance(receiver, Map):
                receiver.take(option)
            elif isinstance(receiver, Namespace) and not isinstance(option, Map):
                judge_spread(it, option, request.node)
            elif isinstance(option, Map):
                for item, value in option.items.items():
                    set_item(it, receiver, lift(item), value, request.node)
            elif (
                isinstance(receiver, FrameDict) and isinstance(option, Namespace) and isinstance(option.owner, Ref)
            ):
                receiver.frame.module.stars.append(option.owner)


def _of_map(it: Interpreter, receiver: Map, name: str, request: Call) -> Value:
    beyond = [it.item(inner, UNKNOWN, request.node) for inner in receiver.spread]
    rest = join([*beyond, receiver.rest or UNKNOWN]) if beyond else receiver.rest
    values = [*receiver.items.values(), *([rest] if rest is not None else [])]
    exact = rest is None
    if name in {"values", "popitem"}:
        return Seq("list", values, exact) if name == "values" else Seq("tuple", [UNKNOWN, join(values)])
    if name in {"keys", "__iter__"}:
        return Seq("list", [lift(key) for key in receiver.items], exact)
    if name == "items":
        pairs: list[Value] = [Seq("tuple", [lift(key), value]) for key, value in receiver.items.items()]
        if not exact:
            pairs.append(Seq("tuple", [UNKNOWN, rest or UNKNOWN]))
        return Seq("list", pairs, exact)
    return Map(dict(receiver.items), receiver.rest, receiver.spread) if name == "copy" else UNKNOWN


def _of_namespace(it: Interpreter, receiver: Value, name: str, request: Call) -> Value:
    anything = it.item(receiver, UNKNOWN, request.node)
    if name == "values":
        return Seq("list", [anything], exact=False)
    if name == "items":
        return Seq("list", [Seq("tuple", [UNKNOWN, anything])], exact=False)
    if name == "popitem":
        return Seq("tuple", [UNKNOWN, anything])
    return receiver if name == "copy" else UNKNOWN


def _of_seq(it: Interpreter, receiver: Seq, name: str, request: Call) -> Value:
    args = request.args
    if name in {"append", "add", "appendleft", "insert"} and args:
        if len(receiver.items) < pure.PARTS and not it.shadow:
            value = args[-1]
            if name in {"appendleft", "insert"}:
                position = args[0].value if name == "insert" and isinstance(args[0], Const) else 0
                receiver.items.insert(position if isinstance(position, int) else 0, value)
            else:
                receiver.items.append(value)
        return Const(None)
    if name in {"extend", "update", "__iadd__", "extendleft"} and args:
        found = elements(args[0])
        room = max(pure.PARTS - len(receiver.items), 0)
        more = list(found if found is not None else contents(args[0]))
        receiver.items.extend(more[:room])
        receiver.exact = receiver.exact and found is not None and len(more) <= room
        return Const(None)
    if name == "reverse" and not it.shadow:
        receiver.items.reverse()
        return Const(None)
    if name in {"pop", "popleft", "__getitem__"}:
        index = args[0] if args else Const(0 if name == "popleft" else -1)
        found_item = it.item(receiver, index, request.node)
        if receiver.exact and isinstance(index, Const) and name != "__getitem__" and not it.shadow:
            try:
                receiver.items.pop(index.value)
            except (IndexError, TypeError):
                receiver.exact = False
        elif name != "__getitem__":
            receiver.exact = False
        return found_item
    if name in {"send", "asend", "throw", "athrow"}:
        for value in args:  # it arrives at a yield, or in a handler there
            lose_all(it, value)
            it.raised.append(value)
    if name in {"__next__", "send", "__anext__"}:
        return receiver.items.pop(0) if receiver.exact and receiver.items else join([*receiver.items, UNKNOWN])
    if name in {"copy", "__iter__", "union"}:
        return Seq(receiver.kind, list(receiver.items), receiver.exact)
    if name == "sort":
        _sort(receiver, request)
        return Const(None)
    if name in {"index", "count", "__len__", "__contains__"}:
        return fold(lambda items, *rest: getattr(items, name)(*rest), receiver, *args)
    if name in {"decode", "hex", "tobytes", "join"}:
        return fold(lambda items, *rest: pure.call_method(bytes(items), name, list(rest)), receiver, *args)
    return UNKNOWN


def _sort(receiver: Seq, request: Call) -> None:
    if known(receiver) and not request.kwargs:
        ordered = fold(sorted, receiver)
        if isinstance(ordered, Seq):
            receiver.items = ordered.items
            return
    receiver.exact = False


def call_getter(it: Interpreter, getter: Getter, request: Call) -> Value:
    """Apply an ``attrgetter``, ``itemgetter`` or ``methodcaller``."""
    if not request.args:
        return UNKNOWN
    target = request.args[0]
    if getter.kind == "methodcaller":
        method = dynamic_attribute(it, target, getter.args[0], request.node) if getter.args else UNKNOWN
        return it.call(method, Call(getter.args[1:], getter.kwargs, request.node))
    results = []
    for wanted in getter.args:
        if getter.kind == "itemgetter":
            results.append(it.item(target, wanted, request.node))
            continue
        options = [text.split(".") for text in texts(wanted)]
        found: list[Value] = []
        for steps in options or [[]]:
            value = target if steps else dynamic_attribute(it, target, UNKNOWN, request.node)
            for step in steps:
                value = dynamic_attribute(it, value, Const(step), request.node)
            found.append(value)
        results.append(join(found))
    return results[0] if len(results) == 1 else Seq("tuple", results)


def reach_in_format(it: Interpreter, template: Const, request: Call) -> Value:
    """Follow the attributes that the fields of a format string name; returns the last one reached."""
    if not isinstance(template.value, str) or "{" not in template.value or len(template.value) > 4096:
        return UNKNOWN
    value: Value = UNKNOWN
    try:
        fields = [name for _, name, _, _ in Formatter().parse(template.value) if name]
    except ValueError:
        return UNKNOWN
    automatic = 0
    for field in fields:
        if "." not in field and "[" not in field:
            continue
        value = follow_field(it, field, request, automatic)
        automatic += 1
    return value


def follow_field(it: Interpreter, field: str, request: Call, automatic: int = 0) -> Value:
    """The value of one replacement field, as ``0.a[b].c``."""
    first, rest = Formatter().get_field.__globals__["_string"].formatter_field_name_split(field)
    if first == "":
        first = automatic
    if isinstance(first, int):
        value = request.args[first] if first < len(request.args) else UNKNOWN
    else:
        value = request.kwargs.get(first, UNKNOWN)
        for arg in request.args[-1:]:
            if isinstance(arg, Map) and first in arg.items:
                value = arg.items[first]
    for is_attribute, key in rest:
        if is_attribute:
            judge_spelling(it, key, request.node)
        value = (
            it.attribute(value, key, request.node) if is_attribute else it.item(value, Const(key), request.node)
        )
    return value
