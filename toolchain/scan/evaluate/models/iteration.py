"""Models of what goes over its argument: ``map``, ``sorted``, ``zip`` and their kin."""

from __future__ import annotations

from toolchain.scan.evaluate.folding import contents, elements, fold, known
from toolchain.scan.evaluate.interpreter import Call, Interpreter, Model
from toolchain.scan.evaluate.models.callables import first_argument
from toolchain.scan.evaluate.subscripts import set_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    Dunder,
    FrameDict,
    Map,
    Namespace,
    Ref,
    Seq,
    Value,
    is_true,
    join,
    join2,
)


def of_map(it: Interpreter, request: Call) -> Value:
    if len(request.args) < 2:
        return UNKNOWN
    function, items = request.args[0], elements(request.args[1])
    if items is None or len(request.args) > 2 or len(items) > 2048:
        result = it.call(function, Call([join(contents(arg)) for arg in request.args[1:]], {}, request.node))
        return Seq("generator", [result], exact=False)
    return Seq("generator", [it.call(function, Call([item], {}, request.node)) for item in items])


def of_filter(it: Interpreter, request: Call) -> Value:
    if len(request.args) < 2:
        return UNKNOWN
    items = elements(request.args[1])
    if items is None:
        it.call(request.args[0], Call([join(contents(request.args[1]))], {}, request.node))
        return Seq("generator", list(contents(request.args[1])), exact=False)
    kept, exact = [], True
    for item in items:
        verdict = is_true(
            item if request.args[0] is UNKNOWN else it.call(request.args[0], Call([item], {}, request.node))
        )
        exact = exact and verdict is not None
        if verdict is not False:
            kept.append(item)
    return Seq("generator", kept, exact)


def of_reduce(it: Interpreter, request: Call) -> Value:
    if len(request.args) < 2:
        return UNKNOWN
    items = elements(request.args[1])
    if items is None or len(items) > 2048:
        it.call(request.args[0], Call([UNKNOWN, join(contents(request.args[1]))], {}, request.node))
        return UNKNOWN
    queue = [*request.args[2:3], *items]
    if not queue:
        return UNKNOWN
    total = queue[0]
    for item in queue[1:]:
        total = it.call(request.args[0], Call([total, item], {}, request.node))
    return total


def of_sequence(kind: str) -> Model:
    def make(it: Interpreter, request: Call) -> Value:
        if not request.args:
            return Seq(kind, [])
        found = elements(request.args[0])
        return Seq(kind, found) if found is not None else Seq(kind, list(contents(request.args[0])), exact=False)

    return make


def of_sorted(it: Interpreter, request: Call) -> Value:
    if not request.args:
        return UNKNOWN
    key = request.kwargs.get("key")
    items = elements(request.args[0])
    if key is not None:
        ranks = [it.call(key, Call([item], {}, request.node)) for item in (items or [UNKNOWN])]
        if items is not None and all(known(rank) for rank in ranks):
            order = fold(lambda values: sorted(range(len(values)), key=values.__getitem__), Seq("list", ranks))
            if isinstance(order, Seq):
                return Seq(
                    "list", [items[position.value] for position in order.items if isinstance(position, Const)]
                )
    elif known(request.args[0]):
        backwards = request.kwargs.get("reverse")
        down = isinstance(backwards, Const) and bool(backwards.value)
        return fold(lambda values: sorted(values, reverse=down), request.args[0])
    return Seq("list", list(contents(request.args[0])), exact=False)


def of_reversed(it: Interpreter, request: Call) -> Value:
    found = elements(request.args[0]) if request.args else None
    return Seq("list", found[::-1]) if found is not None else UNKNOWN


def of_zip(it: Interpreter, request: Call) -> Value:
    columns = [elements(arg) for arg in request.args]
    if any(column is None for column in columns):
        row: list[Value] = [join(contents(arg)) for arg in request.args]
        return Seq("list", [Seq("tuple", row)], exact=False)
    return Seq(
        "list", [Seq("tuple", list(row)) for row in zip(*(column or [] for column in columns), strict=False)]
    )


def of_enumerate(it: Interpreter, request: Call) -> Value:
    found = elements(request.args[0]) if request.args else None
    if found is None:
        items = list(contents(request.args[0])) if request.args else []
        return Seq("list", [Seq("tuple", [UNKNOWN, join(items)])], exact=False)
    start = request.kwargs.get("start") or (request.args[1] if len(request.args) > 1 else Const(0))
    first = start.value if isinstance(start, Const) and isinstance(start.value, int) else 0
    return Seq("list", [Seq("tuple", [Const(first + n), item]) for n, item in enumerate(found)])


def of_next(it: Interpreter, request: Call) -> Value:
    value = request.args[0] if request.args else UNKNOWN
    if isinstance(value, Seq) and value.exact and value.items and not it.shadow:
        return value.items.pop(0) if value.kind == "generator" else value.items[0]
    return join([*contents(value), *request.args[1:2]])


def of_dict(it: Interpreter, request: Call) -> Value:
    made = Map()
    for arg in request.args:
        if isinstance(arg, (Map, Namespace, FrameDict, Dunder, Ref)):
            made.take(arg)
        else:
            for pair in contents(arg):
                if isinstance(pair, Seq) and len(pair.items) == 2:
                    set_item(it, made, pair.items[0], pair.items[1], request.node)
            made.rest = join2(made.rest or UNKNOWN, UNKNOWN) if elements(arg) is None else made.rest
    made.items.update(request.kwargs)
    return made


def of_iter(it: Interpreter, request: Call) -> Value:
    if len(request.args) > 1:
        return Seq("generator", [it.call(request.args[0], Call([], {}, request.node))], exact=False)
    found = elements(request.args[0]) if request.args else None
    return (
        Seq("generator", found)
        if found is not None
        else Seq("generator", list(contents(first_argument(it, request))), exact=False)
    )


def of_accumulate(it: Interpreter, request: Call) -> Value:
    if len(request.args) > 1:
        return Seq(
            "list", [of_reduce(it, Call([request.args[1], request.args[0]], {}, request.node))], exact=False
        )
    return UNKNOWN


def of_chain(it: Interpreter, request: Call) -> Value:
    """``itertools.chain``: the items of all arguments, one after another."""
    return _joined(request.args)


def of_chain_from_iterable(it: Interpreter, request: Call) -> Value:
    """``itertools.chain.from_iterable``."""
    return _joined(list(contents(request.args[0])) if request.args else [])


def _joined(parts: list[Value]) -> Value:
    items = [item for part in parts for item in contents(part)]
    return Seq("generator", items, all(elements(part) is not None for part in parts))


def of_starmap(it: Interpreter, request: Call) -> Value:
    rows = list(contents(request.args[1])) if len(request.args) > 1 else []
    results = [
        it.call(request.args[0], Call(list(row.items) if isinstance(row, Seq) else [UNKNOWN], {}, request.node))
        for row in rows[:256]
    ]
    return Seq("list", results, exact=False)
