"""Evaluates one source in this process, for tests of the evaluator."""

from __future__ import annotations

from toolchain.scan.evaluate.interpreter import Reach
from toolchain.scan.evaluate.package import Package
from toolchain.scan.evaluate.run import run_module
from toolchain.scan.evaluate.wiring import make_interpreter
from toolchain.scan.policy import load_policy


def reached(source: str) -> list[Reach]:
    """What the default policy forbids of what the source reaches."""
    policy = load_policy()
    interpreter = make_interpreter(policy, Package({"plugin.py": source.encode()}))
    module = interpreter.package.file("plugin.py")
    assert module is not None
    run_module(interpreter, module)
    return [found for found in interpreter.reached.values() if policy.rules[found.rule].default == "forbidden"]
