"""Joins the evaluator's mutually recursive parts: each asks the interpreter, none imports in a circle."""

from __future__ import annotations

from functools import partial

from toolchain.scan.evaluate.attributes import get_attribute
from toolchain.scan.evaluate.calls import call, call_function
from toolchain.scan.evaluate.expressions import evaluate
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.modules import force
from toolchain.scan.evaluate.package import Package
from toolchain.scan.evaluate.statements import execute
from toolchain.scan.evaluate.subscripts import get_item
from toolchain.scan.policy import Policy


def make_interpreter(policy: Policy, package: Package) -> Interpreter:
    """An interpreter for the modules of one package."""
    made = Interpreter(policy, package)
    made.evaluate = partial(evaluate, made)
    made.execute = partial(execute, made)
    made.call = partial(call, made)
    made.call_function = partial(call_function, made)
    made.attribute = partial(get_attribute, made)
    made.item = partial(get_item, made)
    made.force = partial(force, made)
    return made
