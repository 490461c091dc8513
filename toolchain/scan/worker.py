"""The child that evaluates Python files: ``python -m toolchain.scan.worker``."""

from __future__ import annotations

import ast
import gc
from symtable import symtable
from typing import Any

from toolchain.scan.child import TooSlow, answer_each, receive
from toolchain.scan.evaluate.interpreter import FOLLOW_FUEL, FUEL, Interpreter, OutOfFuel
from toolchain.scan.evaluate.package import Package
from toolchain.scan.evaluate.run import run_module
from toolchain.scan.evaluate.wiring import make_interpreter
from toolchain.scan.policy import load_policy


def main() -> None:
    """Read the request, answer for each file."""
    request = receive()
    # Syntax trees hold no cycles, and the process is short-lived: collecting would triple the time.
    gc.disable()
    package = Package(request.sources, request.roots)
    interpreter = make_interpreter(load_policy(), package)
    # What one file stores on another's objects is known when both have been read: a small tree is read twice.
    for _ in range(1 if package.large or len(request.judge) < 2 else 2):
        answer_each(request, lambda name, source: _judge(interpreter, name, source))


def _judge(interpreter: Interpreter, name: str, source: bytes) -> dict[str, Any]:
    problem = _evaluate(interpreter, name, source)
    found = interpreter.reached.get(name, {}).values()
    reached = [[r.rule, r.name, r.line, r.column, list(r.trail), r.note] for r in found]
    evaluated = not interpreter.package.inert(name)
    return {"file": name, "reached": reached, "problem": problem, "evaluated": evaluated}


def _evaluate(interpreter: Interpreter, name: str, source: bytes) -> list[Any] | None:
    """``None``, or (rule, message, line) for a file that cannot be judged."""
    package = interpreter.package
    interpreter.fuel, interpreter.follow_fuel, interpreter.floor, interpreter.shadow = FUEL, FOLLOW_FUEL, 0, 0
    interpreter.depth = 0
    if package.large:
        interpreter.follow_fuel //= 5
    interpreter.stack.clear()
    interpreter.memo.clear()
    try:
        _run(interpreter, name, source)
    except SyntaxError as reason:
        return ["file.unparsed", f"not valid Python: {reason.msg}", reason.lineno or 1]
    except tuple(_PROBLEMS) as reason:
        rule, message = next(found for kind, found in _PROBLEMS.items() if isinstance(reason, kind))
        return [rule, f"{message}: {reason}" if isinstance(reason, ValueError) else message, 1]
    except Exception as reason:  # noqa: BLE001 - a fault of our own must read as "not judged", never as "clean"
        return ["file.unjudged", f"the scanner failed on this file ({type(reason).__name__}: {reason})"[:200], 1]
    return None


def _run(interpreter: Interpreter, name: str, source: bytes) -> None:
    package = interpreter.package
    if package.inert(name):
        _check_syntax(source)
        return
    module = package.file(name)
    if module is None:
        ast.parse(source)  # raises what is wrong with it
        return
    run_module(interpreter, module)
    if package.large:
        module.functions.clear()


def _check_syntax(source: bytes) -> None:
    """Raise what is wrong with a file that is not evaluated: its symbols cost two thirds of its syntax tree."""
    try:
        symtable(source, "", "exec")  # type: ignore[arg-type]  # bytes too, though typeshed knows text only
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        ast.parse(source)  # names used against the rules of scopes are no matter of syntax


_PROBLEMS: dict[type[BaseException], tuple[str, str]] = {
    ValueError: ("file.unparsed", "not valid Python"),
    RecursionError: ("limit.depth", "nested deeper than a scan follows"),
    MemoryError: ("limit.memory", "needs more memory than a scan gives one file"),
    OutOfFuel: ("limit.work", "needs more work than a scan gives one file"),
    TooSlow: ("limit.work", "needs more time than a scan gives one file"),
}


if __name__ == "__main__":
    main()
