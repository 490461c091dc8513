"""Models of what evaluates annotations: ``typing.get_type_hints`` runs the text of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolchain.scan.evaluate.annotated import annotations_in, annotations_set, texts_in
from toolchain.scan.evaluate.folding import contents
from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import Call, Interpreter, Model
from toolchain.scan.evaluate.models.code import read_code
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.subscripts import set_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Bound,
    Class,
    Const,
    Function,
    Instance,
    Map,
    Method,
    OwnModule,
    Seq,
    Value,
    each,
    texts,
)


def hints(path: str) -> Model:
    """A function that evaluates the annotations of its first argument."""

    def evaluate(it: Interpreter, request: Call) -> Value:
        given = request.args[:1] or [value for key, value in request.kwargs.items() if key in {"obj", "cls"}]
        for option in each(it.force(given[0])) if given else ():
            _judge_hints(it, path, option, request)
        return UNKNOWN

    return evaluate


def hints_if_told(path: str) -> Model:
    """One that evaluates them only with ``eval_str``, and gives them as they are without."""
    evaluate = hints(path)

    def read(it: Interpreter, request: Call) -> Value:
        told = request.kwargs.get("eval_str", Const(False))
        if any(not isinstance(option, Const) or option.value for option in each(told)):
            return evaluate(it, request)
        plain = path.endswith("annotations") and bool(request.args)
        return it.attribute(request.args[0], "__annotations__", request.node) if plain else UNKNOWN

    return read


def _judge_hints(it: Interpreter, path: str, owner: Value, request: Call) -> None:
    for text in _annotations(it, owner):
        if text is UNKNOWN or _is_call(text):
            it.emit_named("code.text", path, request.node, "runs an annotation's text")
        read_code(it, Call([text], {}, request.node))


def _annotations(it: Interpreter, owner: Value, depth: int = 8) -> Iterator[Value]:
    """The texts of annotations that were set, or that stand in the definition."""
    function = owner.function if isinstance(owner, Bound) else owner
    found: Value | None = None
    if isinstance(function, Function):
        yield from texts_in(function).values()
        found = annotations_set(function)
    elif isinstance(owner, Class):
        yield from _of_bases(it, owner, depth)
        found = owner.frame.get_ever("__annotations__")
    elif isinstance(owner, Instance):
        found = owner.attributes.get("__annotations__", class_attribute(it, owner.cls, "__annotations__"))
    elif isinstance(owner, OwnModule):
        module = it.package.module(owner.name)
        found = module.frame.get_ever("__annotations__") if module is not None else None
    for option in each(found) if found is not None else ():
        if isinstance(option, Map):
            for value in (*option.items.values(), *([option.rest] if option.rest is not None else [])):
                yield from each(value)
        elif option is UNKNOWN:
            yield option


def _of_bases(it: Interpreter, cls: Class, depth: int) -> Iterator[Value]:
    for base in cls.bases if depth else ():
        for option in each(it.force(base)):
            if isinstance(option, Class) and option is not cls:
                yield from _annotations(it, option, depth - 1)


def _is_call(text: Value) -> bool:
    """Whether a text is a call as a whole; ``Annotated[int, Field(gt=0)]`` is none."""
    if not isinstance(text, Const) or not isinstance(text.value, str):
        return False
    try:
        return isinstance(ast.parse(text.value.strip(), mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def of_forward_reference(it: Interpreter, request: Call) -> Value:
    """``ForwardRef(text)``: a literal is read as code; of any other text, what is done with it counts."""
    read_code(it, request)
    literal = all(isinstance(option, Const) for arg in request.args[:1] for option in each(arg))
    return UNKNOWN if literal else it.ref("typing.ForwardRef()")


def of_record(it: Interpreter, request: Call) -> Value:
    """``TypedDict("T", {"x": kind})``, ``NamedTuple``, ``make_dataclass``: a class with annotations."""
    frame = Frame("class", it.frame.module, it.frame)
    kept = annotations_in(it, frame)
    for fields in request.args[1:2]:
        pairs = it.call(Method(fields, "items"), Call([], {}, request.node)) if isinstance(fields, Map) else fields
        for pair in contents(pairs):
            if isinstance(pair, Seq) and len(pair.items) > 1:
                set_item(it, kept, pair.items[0], pair.items[1], request.node)
                frame.parameters += tuple(texts(pair.items[0]))[:1]
    name = next(texts(request.args[0]), "record") if request.args else "record"
    return Class(name, frame, [], it.module.name)


def of_create_model(it: Interpreter, request: Call) -> Value:
    """``pydantic.create_model("M", x=("text", ...))`` evaluates text; what is not known is a type, as a rule."""
    for field in request.kwargs.values():
        for option in each(field.items[0] if isinstance(field, Seq) and field.items else field):
            if _is_call(option):
                it.emit_named("code.text", "pydantic.create_model", request.node, "runs an annotation's text")
            if isinstance(option, Const) and isinstance(field, Seq):
                read_code(it, Call([option], {}, request.node))
    return UNKNOWN
