# a dispatcher over kinds; data tables
# ruff: noqa: C901, E501, PLR0911
"""The child that evaluates Python files, under limits of its own: ``python -m toolchain.scan.worker``.

stdin is one JSON line (limits, roots, which files to judge) and the sources of the whole tree; stdout is one JSON line
before and one after each file, so that a child that dies names the file it died on.
"""

from __future__ import annotations

import ast
import gc
import json
import resource
import signal
import sys
import warnings
from typing import Any

from toolchain.scan.evaluate.interpreter import FOLLOW_FUEL, FUEL, Interpreter, OutOfFuel
from toolchain.scan.evaluate.package import Package
from toolchain.scan.evaluate.run import run_module
from toolchain.scan.policy import load_policy


class _TooSlow(Exception):
    pass


def main() -> None:
    """Read the request, answer for each file."""
    stream = sys.stdin.buffer
    request = json.loads(stream.readline())
    memory = request["memory"] + sum(request["sizes"].values()) * 4
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sources = {name: stream.read(size) for name, size in request["sizes"].items()}
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(6000)
    # Syntax trees hold no cycles, and the process is short-lived: collecting would triple the time.
    gc.disable()
    signal.signal(signal.SIGALRM, _stop)
    interpreter = Interpreter(load_policy(), Package(sources, tuple(request["roots"])))
    for name in request["judge"]:
        _say({"start": name})
        signal.setitimer(signal.ITIMER_REAL, request["seconds"])
        try:
            _say(_judge(interpreter, name, sources[name]))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _stop(_number: int, _frame: object) -> None:
    raise _TooSlow


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _judge(interpreter: Interpreter, name: str, source: bytes) -> dict[str, Any]:
    problem = _evaluate(interpreter, name, source)
    reached = [
        [r.rule, r.name, r.line, r.column, list(r.trail), r.note]
        for r in interpreter.reached.values()
        if r.file == name
    ]
    return {"file": name, "reached": reached, "problem": problem}


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
        if package.inert(name):
            ast.parse(source)
            return None
        module = package.file(name)
        if module is None:
            ast.parse(source)
            return ["file.unparsed", "not parsed", 1]
        run_module(interpreter, module)
        if package.large:
            module.functions.clear()
    except SyntaxError as reason:
        return ["file.unparsed", f"not valid Python: {reason.msg}", reason.lineno or 1]
    except (ValueError, UnicodeError) as reason:
        return ["file.unparsed", f"not valid Python: {reason}", 1]
    except RecursionError:
        return ["limit.depth", "nested deeper than a scan follows", 1]
    except MemoryError:
        return ["limit.memory", "needs more memory than a scan gives one file", 1]
    except (OutOfFuel, _TooSlow):
        return ["limit.work", "needs more work than a scan gives one file", 1]
    except Exception as reason:  # noqa: BLE001 - a fault of our own must read as "not judged", never as "clean"
        return ["file.unjudged", f"the scanner failed on this file ({type(reason).__name__}: {reason})"[:200], 1]
    return None


if __name__ == "__main__":
    main()
