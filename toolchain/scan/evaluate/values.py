"""The abstract values that expressions evaluate to.

A value is one thing, ``UNKNOWN``, or a bounded ``Union`` of things that a name may stand for on different paths.
Whatever comes from outside the scanned files is a ``Ref``: a canonical dotted path such as ``os.system``, with
``()`` for "what calling it gives" (``cffi.FFI().dlopen``) and ``?`` for an attribute whose name is not known.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolchain.scan.evaluate.frames import Frame

MAX_ALTERNATIVES = 12
MAX_TRAIL = 8
MOST_SUBCLASSES = 24


class Value:
    """Root of all abstract values; compared by identity unless a subclass says otherwise."""

    __slots__ = ()


class Unknown(Value):
    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(slots=True, unsafe_hash=True)
class Const(Value):
    """A literal of an immutable built-in type, or what folding made of literals.

    Nothing changes one; it is not declared frozen because a frozen one takes three times as long to make.
    """

    value: Any

    def key(self) -> Any:
        """What tells two constants apart: 1, 1.0 and True are three."""
        value = self.value
        kind = type(value)
        return (kind, repr(value) if kind is slice or kind is complex else value)


@dataclass(slots=True, eq=False)
class Ref(Value):
    """Something outside the scanned files, by canonical path; ``trail`` says how it was reached."""

    path: str
    trail: tuple[str, ...] = ()

    def step(self, path: str, how: str | None = None) -> Ref:
        """The reference one step further."""
        if how is None or (self.trail and self.trail[-1] == how):
            return Ref(path, self.trail)
        return Ref(path, (*self.trail, how)[-MAX_TRAIL:])


@dataclass(slots=True, eq=False)
class Seq(Value):
    """A list, tuple, set or generator; ``exact`` is false when it may hold more than ``items``."""

    kind: str
    items: list[Value]
    exact: bool = True


@dataclass(slots=True, eq=False)
class Map(Value):
    """A dictionary: values under known keys, those whose key is not known, and namespaces spread into it."""

    items: dict[Any, Value] = field(default_factory=dict)
    rest: Value | None = None
    spread: tuple[Value, ...] = ()

    def take(self, other: Value) -> None:
        """Take over what another mapping holds."""
        if isinstance(other, Map):
            self.items.update(other.items)
            self.spread += other.spread
            more = other.rest
        else:
            self.spread += (other,) if isinstance(other, (Namespace, FrameDict, Ref, Dunder)) else ()
            # Annotations of something outside are types, or text that its author wrote.
            more = other if isinstance(other, Dunder) and other.kind == "annotations" else UNKNOWN
        if more is not None:
            self.rest = more if self.rest is None else join2(self.rest, more)


@dataclass(slots=True, eq=False)
class Namespace(Value):
    """The attributes of something seen as a dictionary: ``vars(x)``, ``x.__dict__``, ``globals()``."""

    owner: Value


@dataclass(slots=True, eq=False)
class FrameDict(Value):
    """``locals()`` and ``globals()``: the names of one of our own frames as a dictionary."""

    frame: Frame


@dataclass(slots=True, eq=False)
class OwnModule(Value):
    """A module of the scanned tree, evaluated when something asks for its names."""

    name: str


@dataclass(slots=True, eq=False)
class OwnName(Value):
    """A name imported from a module of the scanned tree, resolved when it is needed."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class Function(Value):
    """A function or lambda of the scanned tree, with the frame that it closes over."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    frame: Frame
    module: str
    defaults: dict[str, Value]
    owner: Class | None = None
    kind: str = "function"
    returns: Value | None = None
    inputs: dict[str, Value] = field(default_factory=dict)
    """What calls that were not followed one by one have handed in, by parameter."""
    visiting: bool = False
    size: int = 0
    loads: bool | None = None

    @property
    def name(self) -> str:
        """Its name in the source."""
        return self.node.name if not isinstance(self.node, ast.Lambda) else "<lambda>"


@dataclass(slots=True, eq=False)
class Class(Value):
    """A class of the scanned tree. ``self_values`` joins what its methods store on instances."""

    name: str
    frame: Frame
    bases: list[Value]
    module: str
    instance: Instance | None = None
    meta: Value | None = None
    subclasses: list[Class] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Instance(Value):
    """An object of one of the tree's classes."""

    cls: Class
    attributes: dict[str, Value] = field(default_factory=dict)


A_TYPE = Ref("typing.Any")
"""Stands for the annotations that are no text, in an ``__annotations__`` that is looked after."""

RECEIVER = "<receiver>"
"""The name under which a method's frame keeps the object that it is called on."""

CONTENT = "<content>"
"""The attribute under which an object of a subclass of ``dict`` or ``list`` keeps its items."""


@dataclass(slots=True, eq=False)
class Bound(Value):
    """A function bound to its first argument."""

    function: Function
    receiver: Value


@dataclass(slots=True, eq=False)
class Method(Value):
    """A method of a built-in type taken from a value, as ``"".join`` or ``[].append``."""

    receiver: Value
    name: str


@dataclass(slots=True, eq=False)
class Partial(Value):
    """``functools.partial`` and its like: a callable with arguments already given."""

    function: Value
    args: list[Value]
    kwargs: dict[str, Value]


@dataclass(slots=True, eq=False)
class Getter(Value):
    """``operator.attrgetter``, ``itemgetter`` and ``methodcaller`` objects."""

    kind: str
    args: list[Value]
    kwargs: dict[str, Value]


@dataclass(slots=True, eq=False)
class Dunder(Value):
    """Introspection on something unknown: ``x.__class__``, ``x.__globals__``, a frame's ``f_builtins``."""

    kind: str
    trail: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Carrier(Value):
    """What something outside made of values that open doors: any part of it may be one of them."""

    held: tuple[Value, ...]


@dataclass(slots=True, eq=False)
class Union(Value):
    """What a name may be on different paths; never nested, never empty, never changed."""

    options: tuple[Value, ...]


def each(value: Value) -> tuple[Value, ...]:
    """The alternatives of a value."""
    return value.options if type(value) is Union else (value,)


def join(values: Iterable[Value]) -> Value:
    """One value for several. Past the bound the oldest constants are dropped first, powerful things never."""
    options: list[Value] = []
    for value in values:
        if type(value) is Union:
            options.extend(value.options)
        else:
            options.append(value)
    if len(options) <= 1:
        return options[0] if options else UNKNOWN
    found: dict[Any, Value] = {}
    for option in reversed(options):
        found[id(option) if option is UNKNOWN else _identity(option)] = option
    if len(found) == 1:
        return options[0]
    options = [*found.values()][::-1]
    return Union(tuple(options if len(options) <= MAX_ALTERNATIVES else _shorten(options)))


def join2(left: Value, right: Value) -> Value:
    """``join`` of two, fast where they are the same."""
    if left is right:
        return left
    return join((left, right))


def _identity(value: Value) -> Any:
    kind = type(value)
    if kind is Const:
        return value.key()  # type: ignore[attr-defined]  # narrowed by kind, for speed
    if kind is Ref:
        return value.path  # type: ignore[attr-defined]  # as above
    if kind is OwnName:
        return ("own", value.module, value.name)  # type: ignore[attr-defined]  # as above
    if kind is OwnModule:
        return ("module", value.name)  # type: ignore[attr-defined]  # as above
    return id(value)


def _shorten(options: list[Value]) -> list[Value]:
    strong = [option for option in options if not isinstance(option, (Const, Unknown))]
    weak = [option for option in options if isinstance(option, Const)]
    kept = strong[-MAX_ALTERNATIVES:]
    room = MAX_ALTERNATIVES - len(kept)
    return [*kept, *(weak[-room:] if room else []), UNKNOWN]


def texts(value: Value) -> Iterator[str]:
    """The strings that a value may be."""
    for option in each(value):
        if isinstance(option, Const) and isinstance(option.value, str):
            yield option.value


def is_true(value: Value) -> bool | None:
    """The truth of a value, or ``None`` when it is not known."""
    if isinstance(value, Const):
        return bool(value.value)
    if isinstance(value, Seq) and (value.exact or value.items):
        return None if value.kind == "generator" else bool(value.items)
    if isinstance(value, Map) and value.rest is None:
        return bool(value.items) or None
    if isinstance(value, (Function, Class, OwnModule)):
        return True
    return None
