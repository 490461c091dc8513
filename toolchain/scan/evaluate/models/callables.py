"""Models of what wraps, calls or makes callables and types."""

from __future__ import annotations

from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import Call, Interpreter, Model
from toolchain.scan.evaluate.judge import judge_flags
from toolchain.scan.evaluate.objects import shared_instance
from toolchain.scan.evaluate.values import (
    RECEIVER,
    UNKNOWN,
    Class,
    Const,
    Dunder,
    Function,
    Instance,
    Map,
    Partial,
    Ref,
    Seq,
    Value,
    each,
    texts,
)


def call_back(it: Interpreter, value: Value, request: Call) -> None:
    """A function given to something outside will be called there with arguments that are not known."""
    for option in each(value):
        if isinstance(option, Ref) and option.path.endswith(".?"):
            it.call(option, Call([], {}, request.node))


def of_type(it: Interpreter, request: Call) -> Value:
    if len(request.args) == 1:
        return it.attribute(request.args[0], "__class__", request.node)
    if len(request.args) >= 3 and isinstance(request.args[2], Map):
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


def of_reference(it: Interpreter, request: Call) -> Value:
    """``weakref.ref(x)``: what a call of it gives is x."""
    return Partial(UNCHANGED, request.args[:1], {})


def of_partial(it: Interpreter, request: Call) -> Value:
    if not request.args:
        return UNKNOWN
    call_back(it, request.args[0], request)
    judge_flags(it, request.args[0], Call(request.args[1:], request.kwargs, request.node))
    return Partial(request.args[0], request.args[1:], dict(request.kwargs))


def call_now(it: Interpreter, request: Call) -> Value:
    """Something outside that calls its first argument with the rest."""
    return (
        it.call(request.args[0], Call(request.args[1:], request.kwargs, request.node)) if request.args else UNKNOWN
    )


def first_argument(it: Interpreter, request: Call) -> Value:
    return request.args[0] if request.args else UNKNOWN


def of_field(it: Interpreter, request: Call) -> Value:
    factory = request.kwargs.get("default_factory")
    return (
        request.kwargs.get("default", UNKNOWN) if factory is None else it.call(factory, Call([], {}, request.node))
    )


def marking(kind: str) -> Model:
    def mark(it: Interpreter, request: Call) -> Value:
        function = request.args[0] if request.args else UNKNOWN
        if isinstance(function, Function):
            function.kind = kind
        return function

    return mark


def of_super(it: Interpreter, request: Call) -> Value:
    """The object itself, as one of its class's bases."""
    owner = it.lookup("__class__")
    if not isinstance(owner, Class) or not owner.bases:
        return UNKNOWN
    base = it.force(owner.bases[0])
    if isinstance(base, Ref) and len(owner.bases) == 1:
        return it.ref(f"{base.path}()", base.trail)
    receiver = it.lookup(RECEIVER)
    above = Class(owner.name, Frame("class", None, None), owner.bases, owner.module, shared_instance(owner))
    return Instance(above, receiver.attributes) if isinstance(receiver, Instance) else Instance(above)


def of_frame(it: Interpreter, request: Call) -> Value:
    """The own frame, or ``sys._getframe(1)``: a caller's."""
    own = all(isinstance(option, Const) and not option.value for arg in request.args for option in each(arg))
    return Dunder("own-frame" if own else "caller")


def of_trace(it: Interpreter, request: Call) -> Value:
    """``sys.settrace(f)``: f is called with the frames of whatever runs."""
    for function in request.args[:1]:
        if not isinstance(function, Const):
            it.call(function, Call([Dunder("caller"), UNKNOWN, UNKNOWN], {}, request.node))
    return UNKNOWN


UNCHANGED = Ref("copy.copy")
"""What ``functools.wraps(f)`` gives: a decorator that changes nothing here."""


def of_thread(it: Interpreter, request: Call) -> Value:
    target, args = request.kwargs.get("target"), request.kwargs.get("args")
    if target is not None:
        it.call(target, Call(list(args.items) if isinstance(args, Seq) else [], {}, request.node))
    return UNKNOWN


def of_namespace(it: Interpreter, request: Call) -> Value:
    """A ``SimpleNamespace`` with its attributes."""
    made = Instance(Class("SimpleNamespace", Frame("class", None, None), [], ""))
    made.attributes.update(request.kwargs)
    return made
