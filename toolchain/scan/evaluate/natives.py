# one signature for a table of handlers; data tables; a dispatcher over kinds
# ruff: noqa: ARG001, E501, PLR0911, PLW0108
"""Calls of what lies outside the tree: policy first, then a model of what the call gives."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING

from toolchain.scan.evaluate import pure
from toolchain.scan.evaluate.attributes import class_of, get_attribute
from toolchain.scan.evaluate.folding import contents, elements, fold, known
from toolchain.scan.evaluate.interpreter import Activation, Call
from toolchain.scan.evaluate.judge import judge_call
from toolchain.scan.evaluate.subscripts import get_item, set_attribute, set_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Class,
    Const,
    Dunder,
    FrameDict,
    Function,
    Getter,
    Instance,
    Map,
    Method,
    Namespace,
    OwnModule,
    OwnName,
    Partial,
    Ref,
    Seq,
    Union,
    Value,
    each,
    join,
    join2,
    texts,
)

if TYPE_CHECKING:
    from toolchain.scan.evaluate.interpreter import Interpreter

Model = Callable[["Interpreter", Call], Value]


def call_outside(it: Interpreter, function: Ref, request: Call) -> Value:
    """Call something by its canonical name."""
    from toolchain.scan.evaluate.expressions import iterated

    path = function.path
    judge_call(it, function, request)
    model = MODELS.get(path)
    if model is not None:
        if path in _ITERATING and any(isinstance(arg, Instance) for arg in request.args):
            args = [iterated(it, arg, request.node) for arg in request.args]
            request = Call(args, request.kwargs, request.node, request.extra)
        return model(it, request)
    if path in pure.FUNCTIONS and not request.extra:
        return fold(pure.FUNCTIONS[path], *_positional(request))
    if path.endswith((".__getattribute__", ".__getattr__")) and len(request.args) >= 2:
        return dynamic_attribute(it, request.args[-2], request.args[-1], request.node)
    if path.startswith("builtins.") and path.count(".") == 2:
        return _unbound(it, path, request)
    if request.args and path.rpartition(".")[2] in _PASSING:
        return request.args[0]
    if not path.startswith(("builtins.", "inspect.", "copy.")):
        for value in (*request.args, *request.kwargs.values()):
            _callback(it, value, request)
    if path in _followed(it):
        return Ref(it.policy.canonical(f"{path}()"), function.trail)
    from toolchain.scan.evaluate.calls import carried

    return carried(it, request)


_ITERATING = frozenset(
    f"builtins.{name}"
    for name in (
        "list",
        "tuple",
        "set",
        "iter",
        "next",
        "map",
        "filter",
        "zip",
        "enumerate",
        "sorted",
        "reversed",
        "dict",
    )
)
_PASSING = frozenset(
    [
        "wraps",
        "lru_cache",
        "cache",
        "cached_property",
        "contextmanager",
        "asynccontextmanager",
        "staticmethod",
        "total_ordering",
    ]
)


def _followed(it: Interpreter) -> frozenset[str]:
    """Paths whose call's result some rule or alias names, or that are modules' own doors."""
    global _FOLLOWED  # noqa: PLW0603 - computed once from the policy
    if _FOLLOWED is None:
        names = [*it.policy.exact, *it.policy.prefixes, *it.policy.aliases, "builtins.object.__subclasses__()"]
        found = set()
        for name in names:
            start = 0
            while (at := name.find("()", start)) >= 0:
                found.add(name[:at])
                start = at + 2
        _FOLLOWED = frozenset(found)
    return _FOLLOWED


_FOLLOWED: frozenset[str] | None = None


def _positional(request: Call) -> list[Value]:
    return [*request.args, *(value for key, value in request.kwargs.items() if key != "errors")]


def _callback(it: Interpreter, value: Value, request: Call) -> None:
    """A function given to something outside will be called there with arguments that are not known."""
    for option in each(value):
        if isinstance(option, Ref) and option.path.endswith(".?"):
            call_outside(it, option, Call([], {}, request.node))


def _unbound(it: Interpreter, path: str, request: Call) -> Value:
    """``str.join(",", x)``, ``dict.get(d, k)``, ``object.__getattribute__(x, n)``, ``type.__subclasses__(object)``."""
    kind, name = path.split(".")[1:]
    if name == "__setattr__" and len(request.args) >= 3:
        for text in texts(request.args[1]):
            set_attribute(it, request.args[0], text, request.args[2])
        return Const(None)
    if name == "__new__" and request.args:
        return call_new(it, request.args[0], request)
    if name == "__subclasses__":
        return it.ref("builtins.object.__subclasses__()")
    if name == "mro":
        return Dunder("mro")
    if request.args and kind in {"str", "bytes", "list", "dict", "tuple", "set", "bytearray", "int"}:
        from toolchain.scan.evaluate.methods import call_method

        rest = Call(request.args[1:], request.kwargs, request.node)
        return join(call_method(it, Method(option, name), rest) for option in each(request.args[0]))
    return UNKNOWN


def call_new(it: Interpreter, cls: Value, request: Call) -> Value:
    """``object.__new__(cls)``."""
    return Instance(cls) if isinstance(cls, Class) else UNKNOWN


def dynamic_attribute(
    it: Interpreter, target: Value, name: Value, node: ast.AST, default: Value | None = None
) -> Value:
    """``getattr(target, name)`` where the name is a value."""
    results = []
    for option in each(name):
        if isinstance(option, Const) and isinstance(option.value, str):
            for part in each(target):
                results.append(_named(it, part, option.value, node))  # noqa: PERF401 - reads better with its twin below
            continue
        for part in each(target):
            results.append(_nameless(it, part, node))  # noqa: PERF401 - as above
    if default is not None:
        results.append(default)
    return join(results)


def _named(it: Interpreter, target: Value, name: str, node: ast.AST) -> Value:
    found = get_attribute(it, target, name, node)
    if isinstance(found, Ref):
        how = f"line {getattr(node, 'lineno', 1)}: attribute {name!r} by name"
        return found.step(found.path, how)
    return found


def _nameless(it: Interpreter, target: Value, node: ast.AST) -> Value:
    if isinstance(target, OwnName):
        from toolchain.scan.evaluate.modules import force

        forced = force(it, target)
        return UNKNOWN if isinstance(forced, OwnName) else join(_nameless(it, part, node) for part in each(forced))
    if isinstance(target, Ref) and target.path in it.policy.sensitive:
        return it.mention(target.step(f"{target.path}.?"), node)
    if it.package.large:
        return UNKNOWN
    if isinstance(target, OwnModule):
        module = it.package.module(target.name)
        return _any_of([] if module is None else list(module.frame.ever.values()))
    if isinstance(target, Instance):
        return _any_of([*target.attributes.values(), *target.cls.frame.ever.values()])
    if isinstance(target, Class):
        return _any_of(list(target.frame.ever.values()))
    return UNKNOWN


def _any_of(values: list[Value]) -> Value:
    """Any of the things that a namespace of the tree holds, as far as they can matter."""
    return join([*[value for value in values if isinstance(value, (Ref, OwnName, Function, Union))][:8], UNKNOWN])


def _getattr(it: Interpreter, request: Call) -> Value:
    if len(request.args) < 2:
        return UNKNOWN
    default = request.args[2] if len(request.args) > 2 else None
    return dynamic_attribute(it, request.args[0], request.args[1], request.node, default)


def _members(it: Interpreter, request: Call) -> Value:
    """``inspect.getmembers(x)``: pairs of a name and any attribute of x."""
    anything = _nameless(it, request.args[0], request.node) if request.args else UNKNOWN
    return Seq("list", [Seq("tuple", [UNKNOWN, anything])], exact=False)


def _setattr(it: Interpreter, request: Call) -> Value:
    if len(request.args) >= 3:
        for text in texts(request.args[1]):
            if text == "__code__":
                it.emit_named("code.construct", "?.__code__", request.node, "the code of a function is replaced")
            set_attribute(it, request.args[0], text, request.args[2])
    return Const(None)


def _vars(it: Interpreter, request: Call) -> Value:
    return Namespace(request.args[0]) if request.args else FrameDict(it.frame)


def _import(it: Interpreter, request: Call) -> Value:
    """``__import__("a.b")`` gives ``a``; ``import_module`` gives ``a.b``; names not known stay so."""
    return _import_named(it, request, top=True)


def _import_module(it: Interpreter, request: Call) -> Value:
    return _import_named(it, request, top=False)


def _import_named(it: Interpreter, request: Call, *, top: bool) -> Value:
    from toolchain.scan.evaluate.modules import import_module

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


def _type(it: Interpreter, request: Call) -> Value:
    if len(request.args) == 1:
        return get_attribute(it, request.args[0], "__class__", request.node)
    if len(request.args) >= 3 and isinstance(request.args[2], Map):
        from toolchain.scan.evaluate.frames import Frame

        frame = Frame("class", it.frame.module, it.frame)
        for key, value in request.args[2].items.items():
            frame.set(str(key), value)
        bases = request.args[1]
        name = next(texts(request.args[0]), "type")
        made = Class(name, frame, list(bases.items) if isinstance(bases, Seq) else [], it.module.name)
        for value in frame.ever.values():
            if isinstance(value, Function) and value.owner is None:
                value.owner = made
        return made
    return UNKNOWN


def read_code(it: Interpreter, request: Call) -> Value:
    """Code given as text is read as well: what it reaches is reached."""
    from toolchain.scan.evaluate.expressions import evaluate
    from toolchain.scan.evaluate.statements import execute

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
                    result.append(evaluate(it, tree.body[0].value))
                else:
                    execute(it, tree.body)
        finally:
            it.module.text_line = before
    return join(result)


def _map(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call

    if len(request.args) < 2:
        return UNKNOWN
    function, items = request.args[0], elements(request.args[1])
    if items is None or len(request.args) > 2 or len(items) > 2048:
        result = call(it, function, Call([join(contents(arg)) for arg in request.args[1:]], {}, request.node))
        return Seq("generator", [result], exact=False)
    return Seq("generator", [call(it, function, Call([item], {}, request.node)) for item in items])


def _filter(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call
    from toolchain.scan.evaluate.values import is_true

    if len(request.args) < 2:
        return UNKNOWN
    items = elements(request.args[1])
    if items is None:
        call(it, request.args[0], Call([join(contents(request.args[1]))], {}, request.node))
        return Seq("generator", list(contents(request.args[1])), exact=False)
    kept, exact = [], True
    for item in items:
        verdict = is_true(
            item if request.args[0] is UNKNOWN else call(it, request.args[0], Call([item], {}, request.node))
        )
        exact = exact and verdict is not None
        if verdict is not False:
            kept.append(item)
    return Seq("generator", kept, exact)


def _reduce(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call

    if len(request.args) < 2:
        return UNKNOWN
    items = elements(request.args[1])
    if items is None or len(items) > 2048:
        call(it, request.args[0], Call([UNKNOWN, join(contents(request.args[1]))], {}, request.node))
        return UNKNOWN
    queue = [*request.args[2:3], *items]
    if not queue:
        return UNKNOWN
    total = queue[0]
    for item in queue[1:]:
        total = call(it, request.args[0], Call([total, item], {}, request.node))
    return total


def _sequence(kind: str) -> Model:
    def make(it: Interpreter, request: Call) -> Value:
        if not request.args:
            return Seq(kind, [])
        found = elements(request.args[0])
        return Seq(kind, found) if found is not None else Seq(kind, list(contents(request.args[0])), exact=False)

    return make


def _sorted(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call

    if not request.args:
        return UNKNOWN
    key = request.kwargs.get("key")
    items = elements(request.args[0])
    if key is not None:
        ranks = [call(it, key, Call([item], {}, request.node)) for item in (items or [UNKNOWN])]
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


def _reversed(it: Interpreter, request: Call) -> Value:
    found = elements(request.args[0]) if request.args else None
    return Seq("list", found[::-1]) if found is not None else UNKNOWN


def _zip(it: Interpreter, request: Call) -> Value:
    columns = [elements(arg) for arg in request.args]
    if any(column is None for column in columns):
        row: list[Value] = [join(contents(arg)) for arg in request.args]
        return Seq("list", [Seq("tuple", row)], exact=False)
    return Seq(
        "list", [Seq("tuple", list(row)) for row in zip(*(column or [] for column in columns), strict=False)]
    )


def _enumerate(it: Interpreter, request: Call) -> Value:
    found = elements(request.args[0]) if request.args else None
    if found is None:
        items = list(contents(request.args[0])) if request.args else []
        return Seq("list", [Seq("tuple", [UNKNOWN, join(items)])], exact=False)
    start = request.kwargs.get("start") or (request.args[1] if len(request.args) > 1 else Const(0))
    first = start.value if isinstance(start, Const) and isinstance(start.value, int) else 0
    return Seq("list", [Seq("tuple", [Const(first + n), item]) for n, item in enumerate(found)])


def _next(it: Interpreter, request: Call) -> Value:
    value = request.args[0] if request.args else UNKNOWN
    if isinstance(value, Seq) and value.exact and value.items and not it.shadow:
        return value.items.pop(0) if value.kind == "generator" else value.items[0]
    return join([*contents(value), *request.args[1:2]])


def _dict(it: Interpreter, request: Call) -> Value:
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


def _partial(it: Interpreter, request: Call) -> Value:
    if not request.args:
        return UNKNOWN
    _callback(it, request.args[0], request)
    return Partial(request.args[0], request.args[1:], dict(request.kwargs))


def _getter(kind: str) -> Model:
    return lambda _it, request: Getter(kind, request.args, dict(request.kwargs))


def _apply_now(it: Interpreter, request: Call) -> Value:
    """Something outside that calls its first argument with the rest."""
    from toolchain.scan.evaluate.calls import call

    return (
        call(it, request.args[0], Call(request.args[1:], request.kwargs, request.node))
        if request.args
        else UNKNOWN
    )


def _item(it: Interpreter, request: Call) -> Value:
    return get_item(it, request.args[0], request.args[1], request.node) if len(request.args) > 1 else UNKNOWN


def _identity(it: Interpreter, request: Call) -> Value:
    return request.args[0] if request.args else UNKNOWN


def _field(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.methods import follow_field

    found = []
    if len(request.args) >= 2:
        inner = request.args[1]
        args = inner.items if isinstance(inner, Seq) else []
        last = request.args[2] if len(request.args) > 2 else Map()
        kwargs = {str(k): v for k, v in last.items.items()} if isinstance(last, Map) else {}
        found = [follow_field(it, text, Call(args, kwargs, request.node)) for text in texts(request.args[0])]
    return Seq("tuple", [join(found), UNKNOWN])


def _field_default(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call

    factory = request.kwargs.get("default_factory")
    return (
        request.kwargs.get("default", UNKNOWN)
        if factory is None
        else call(it, factory, Call([], {}, request.node))
    )


def _formatter(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.methods import reach_in_format

    for option in each(request.args[0]) if request.args else ():
        if isinstance(option, Const):
            reach_in_format(it, option, Call(request.args[1:], request.kwargs, request.node))
    return UNKNOWN


def _decorator(kind: str) -> Model:
    def mark(it: Interpreter, request: Call) -> Value:
        function = request.args[0] if request.args else UNKNOWN
        if isinstance(function, Function):
            function.kind = kind
        return function

    return mark


def _super(it: Interpreter, request: Call) -> Value:
    owner = it.lookup("__class__")
    if isinstance(owner, Class) and owner.bases:
        from toolchain.scan.evaluate.values import Instance

        base = owner.bases[0]
        if isinstance(base, Class):
            return Instance(base)
        if isinstance(base, Ref):
            return it.ref(f"{base.path}()", base.trail)
    return UNKNOWN


def _frame(it: Interpreter, request: Call) -> Value:
    return Dunder("frame")


def _iter(it: Interpreter, request: Call) -> Value:
    if len(request.args) > 1:
        from toolchain.scan.evaluate.calls import call

        return Seq("generator", [call(it, request.args[0], Call([], {}, request.node))], exact=False)
    found = elements(request.args[0]) if request.args else None
    return (
        Seq("generator", found)
        if found is not None
        else Seq("generator", list(contents(_identity(it, request))), exact=False)
    )


def _accumulate(it: Interpreter, request: Call) -> Value:
    if len(request.args) > 1:
        return Seq("list", [_reduce(it, Call([request.args[1], request.args[0]], {}, request.node))], exact=False)
    return UNKNOWN


def _starmap(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call

    rows = list(contents(request.args[1])) if len(request.args) > 1 else []
    results = [
        call(it, request.args[0], Call(list(row.items) if isinstance(row, Seq) else [UNKNOWN], {}, request.node))
        for row in rows[:256]
    ]
    return Seq("list", results, exact=False)


def _resolve(it: Interpreter, request: Call) -> Value:
    """``pkgutil.resolve_name("a.b:c.d")``, ``pydoc.locate("a.b.c")`` and their like."""
    if not request.args:
        return UNKNOWN
    found = []
    for text in texts(request.args[0]):
        value = it.ref(text.replace(":", "."), (f"line {getattr(request.node, 'lineno', 1)}: resolved by name",))
        found.append(it.mention(value, request.node))
    return join(found)


_UNCHANGED = Ref("copy.copy")
"""What ``functools.wraps(f)`` gives: a decorator that changes nothing here."""

MODELS: dict[str, Model] = {
    "builtins.getattr": _getattr, "builtins.setattr": _setattr, "builtins.vars": _vars,
    "inspect.getattr_static": _getattr, "operator.attrgetter": _getter("attrgetter"),
    "operator.itemgetter": _getter("itemgetter"), "operator.methodcaller": _getter("methodcaller"),
    "operator.getitem": _item, "operator.call": _apply_now, "_operator.getitem": _item,
    "_operator.attrgetter": _getter("attrgetter"), "_operator.methodcaller": _getter("methodcaller"),
    "builtins.globals": lambda it, _request: FrameDict(it.frame.module),
    "builtins.locals": lambda it, _request: FrameDict(it.frame),
    "builtins.__import__": _import, "importlib.import_module": _import_module, "importlib.reload": _identity,
    "pkgutil.resolve_name": _resolve, "pydoc.locate": _resolve, "pydoc.safeimport": _resolve,
    "hydra.utils.get_method": _resolve, "hydra.utils.get_class": _resolve, "hydra.utils.get_object": _resolve,
    "builtins.type": _type, "builtins.eval": read_code, "builtins.exec": read_code, "builtins.compile": read_code,
    "typing.ForwardRef": read_code, "pandas.eval": read_code, "numexpr.evaluate": read_code, "sympy.sympify": read_code,
    "sympy.S": read_code, "sympy.parsing.sympy_parser.parse_expr": read_code, "sympy.parse_expr": read_code,
    "builtins.hasattr": lambda _it, _request: UNKNOWN,
    "builtins.map": _map, "builtins.filter": _filter, "functools.reduce": _reduce, "builtins.sorted": _sorted,
    "builtins.list": _sequence("list"), "builtins.tuple": _sequence("tuple"), "builtins.set": _sequence("set"),
    "builtins.iter": _iter, "builtins.reversed": _reversed, "builtins.zip": _zip, "builtins.enumerate": _enumerate,
    "builtins.next": _next, "builtins.dict": _dict, "types.MappingProxyType": _identity, "collections.ChainMap": _dict,
    "dataclasses.field": _field_default, "collections.deque": _sequence("list"), "collections.OrderedDict": _dict, "types.SimpleNamespace": lambda _it, r: Namespace2(r), "collections.UserDict": _dict,
    "functools.partial": _partial, "functools.partialmethod": _partial, "copy.copy": _identity, "copy.deepcopy": _identity,
    "weakref.ref": _identity, "weakref.proxy": _identity, "typing.cast": lambda _it, r: r.args[-1] if r.args else UNKNOWN,
    "contextlib.nullcontext": _identity, "contextlib.closing": _identity, "builtins.super": _super,
    "string.Formatter().get_field": _field, "string.Formatter().format": _formatter, "string.Formatter().vformat": _formatter,
    "string.Formatter": lambda it, _request: it.ref("string.Formatter()"),
    "builtins.property": _decorator("property"), "functools.cached_property": _decorator("property"),
    "builtins.staticmethod": _decorator("static"), "builtins.classmethod": _decorator("class"),
    "sys._getframe": _frame, "inspect.currentframe": _frame, "itertools.accumulate": _accumulate,
    "itertools.starmap": _starmap, "threading.Thread": lambda it, r: _run_target(it, r), "asyncio.run": _identity,
    "asyncio.to_thread": _apply_now, "atexit.register": _apply_now, "contextvars.Context().run": _apply_now,
    "inspect.unwrap": _identity, "functools.wraps": lambda _it, _r: _UNCHANGED, "builtins.print": lambda _it, _r: Const(None),
    "sys.modules.values": lambda it, _request: Seq("list", [it.ref("sys.modules.?")], exact=False),
    "sys.modules.items": lambda it, _request: Seq("list", [Seq("tuple", [UNKNOWN, it.ref("sys.modules.?")])], exact=False),
    "sys.modules.copy": lambda it, _request: it.ref("sys.modules"),
    "inspect.getmembers": _members, "inspect.getmembers_static": _members,
    "sys.modules.get": lambda it, r: get_item(it, it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN,
    "sys.modules.pop": lambda it, r: get_item(it, it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN,
    "sys.modules.setdefault": lambda it, r: get_item(it, it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN,
    "sys.modules.__getitem__": lambda it, r: get_item(it, it.ref("sys.modules"), r.args[0], r.node) if r.args else UNKNOWN,
}  # fmt: skip


def _run_target(it: Interpreter, request: Call) -> Value:
    from toolchain.scan.evaluate.calls import call

    target, args = request.kwargs.get("target"), request.kwargs.get("args")
    if target is not None:
        call(it, target, Call(list(args.items) if isinstance(args, Seq) else [], {}, request.node))
    return UNKNOWN


def Namespace2(request: Call) -> Value:  # noqa: N802 - stands for the class SimpleNamespace
    """A ``SimpleNamespace`` with its attributes."""
    from toolchain.scan.evaluate.frames import Frame
    from toolchain.scan.evaluate.values import Instance

    made = Instance(Class("SimpleNamespace", Frame("class", None, None), [], ""))
    made.attributes.update(request.kwargs)
    return made
