"""The evaluator's state for one file at a time, and the record of what was reached."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from toolchain.scan.evaluate.frames import BUILTIN_NAMES, MAYBE_UNBOUND, Frame, maybe_unbound
from toolchain.scan.evaluate.package import Module, Package
from toolchain.scan.evaluate.values import UNKNOWN, Carrier, Dunder, Function, Ref, Value, each, join
from toolchain.scan.policy import Policy, Rule

FUEL = 1_500_000


FOLLOW_FUEL = 150_000


MAX_DEPTH = 24
MAX_NESTED = 7


_REGAINED = frozenset({"os", "builtins", "importlib"})


# Methods that nothing but an event loop has.
_OF_LOOPS = frozenset({
    "create_datagram_endpoint", "create_unix_connection", "create_unix_server", "connect_accepted_socket",
    "sock_connect", "sock_accept", "sock_sendall", "sock_recv_into", "subprocess_exec", "subprocess_shell",
})  # fmt: skip


# Methods that nothing but a finder of modules has, with what they give.
_OF_FINDERS = {"find_spec": "find-spec", "find_module": "find-loader", "find_loader": "find-loader"}
# Attributes under which libraries keep modules that open doors: ``inspect.getmodule(f).os``.
_DOORS_OF_OTHERS = frozenset({"os", "_os", "sys", "_sys", "builtins", "subprocess", "importlib"})

OWN_NAMES = {
    "exec_module": "import.dynamic",  # of loaders
    "dlopen": "memory.native",  # of cffi's interfaces
    "enable_load_extension": "memory.native",  # of SQLite
    "load_extension": "memory.native",  # of SQLite and DuckDB
    "getRuntime": "process.subprocess",  # of java.lang.Runtime
    "ProcessBuilder": "process.subprocess",  # of java.lang
}
"""Attributes that nothing but one thing has, with the rule: they count on whatever is not known."""

_TELLING = _OF_LOOPS | _OF_FINDERS.keys() | _DOORS_OF_OTHERS | OWN_NAMES.keys()


Signal = str | None
"""``"break"``, ``"continue"`` or ``"return"`` where a statement takes it for sure, else ``None``."""

Model = Callable[["Interpreter", "Call"], Value]
"""What a call of something outside gives."""


class OutOfFuel(Exception):
    """The file asks for more work than one file may."""


class EnoughFollowed(Exception):
    """A call followed with its own arguments takes more work than its allowance."""


@dataclass(frozen=True)
class Reach:
    """One dangerous thing that a file reaches: the rule, its canonical name, where, and how."""

    rule: str
    power: str
    name: str
    file: str
    line: int
    column: int
    trail: tuple[str, ...]
    note: str = ""


@dataclass
class Call:
    """A call being judged: positional and keyword values; ``extra`` when starred arguments are not known."""

    args: list[Value]
    kwargs: dict[str, Value]
    node: ast.AST
    extra: bool = False


@dataclass
class Activation:
    """What the running function collects."""

    returns: list[Value] = field(default_factory=list)
    yields: list[Value] = field(default_factory=list)
    concrete: bool = False


class Interpreter:
    """Evaluates the modules of one package; ``reached`` is what policy has a rule for, by file.

    The operations declared first are set by ``wiring.make_interpreter``.
    """

    evaluate: Callable[[ast.expr], Value]
    execute: Callable[[Sequence[ast.stmt]], Signal]
    call: Callable[[Value, Call], Value]
    call_function: Callable[[Function, list[Value], dict[str, Value], ast.AST], Value]
    attribute: Callable[[Value, str, ast.AST], Value]
    item: Callable[[Value, Value, ast.AST], Value]
    force: Callable[[Value], Value]

    def __init__(self, policy: Policy, package: Package) -> None:
        self.policy = policy
        self.package = package
        self.reached: dict[str, dict[tuple[Any, ...], Reach]] = {}
        self.module: Module = package.nowhere
        self.frame = Frame("module", None, None)
        self.activation = Activation()
        self.fuel = FUEL
        self.depth = 0
        self.shadow = 0
        self.dirty = False
        self.stack: list[ast.AST] = []
        self.memo: dict[tuple[object, ...], Value] = {}
        self.follow_fuel = FOLLOW_FUEL
        self.allowance = 0
        self.floor = 0
        self.root_dynamic = False
        self.for_checkers = False
        self.raised: list[Value] = []

    def burn(self, amount: int = 1) -> None:
        """Account for work. Raises ``OutOfFuel``."""
        self.fuel -= amount
        if self.fuel < self.floor:
            if self.fuel < 0:
                raise OutOfFuel
            raise EnoughFollowed

    def emit(self, rule: Rule, name: str, node: ast.AST, trail: tuple[str, ...] = (), note: str = "") -> None:
        """Record that ``name`` is reached at ``node``."""
        if rule.default == "allowed" and rule.strict == "allowed":
            return
        line = getattr(node, "lineno", 1)
        column = getattr(node, "col_offset", 0)
        if self.module.text_line:
            line, column = self.module.text_line, 0
        here = self.reached.setdefault(self.module.file, {})
        key = (line, rule.id, name)
        if key not in here:
            here[key] = Reach(rule.id, rule.power, name, self.module.file, line, column, trail, note)

    def emit_named(self, rule_id: str, name: str, node: ast.AST, note: str = "") -> None:
        """``emit`` for a rule without names of its own."""
        self.emit(self.policy.rules[rule_id], name, node, (), note)

    def mention(self, value: Value, node: ast.AST, *, certain: bool = True) -> Value:
        """Record a reference to something that policy names; returns the value.

        Where the value is one of several alternatives, only a name that a rule spells out counts: what merely lies
        under a forbidden module was recorded where that module was imported.
        """
        if value is UNKNOWN:
            return value
        for option in each(value):
            if type(option) is Ref:
                rule = self.policy.match(option.path)
                if rule is not None and rule.judge is None and (certain or option.path in self.policy.exact):
                    self.emit(rule, option.path, node, option.trail)
        return value

    def lose(self, door: Ref) -> None:
        """Note that a module which opens doors went where it cannot be followed."""
        lost = self.package.lost_in(self.module.file)
        # What was read before did not know of it.
        self.dirty = self.dirty or door.path not in lost
        lost[door.path] = door.trail

    def regain(self, name: str, node: ast.AST) -> Value:
        """An attribute of something unknown: one of the modules lost before, where only that has such a name."""
        for path, trail in self.package.lost_in(self.module.file).items():
            found = self.ref(f"{path}.{name}", trail)
            if path in _REGAINED and self.policy.match(found.path) is not None:
                return self.mention(found.step(found.path, f"{path} was handed on, out of sight"), node)
        if name not in _TELLING:
            return UNKNOWN
        if name in _OF_LOOPS:
            rule = "process.subprocess" if name.startswith("subprocess") else "network.socket"
            self.emit(self.policy.rules[rule], f"?.{name}", node)
        if name in OWN_NAMES:
            self.emit_named(OWN_NAMES[name], f"?.{name}", node)
        if name in _DOORS_OF_OTHERS:
            return Carrier((self.ref(name.lstrip("_"), (f"line {getattr(node, 'lineno', 1)}: ?.{name}",)),))
        return Dunder(_OF_FINDERS[name]) if name in _OF_FINDERS else UNKNOWN

    def ref(self, path: str, trail: tuple[str, ...] = ()) -> Ref:
        """A reference under its canonical name."""
        return Ref(self.policy.canonical(path), trail)

    @contextmanager
    def inside(self, frame: Frame, module: Module, activation: Activation) -> Iterator[None]:
        """Evaluate in another frame for a while."""
        before = (self.frame, self.module, self.activation)
        self.frame, self.module, self.activation = frame, module, activation
        self.depth += 1
        try:
            yield
        finally:
            self.frame, self.module, self.activation = before
            self.depth -= 1

    def lookup(self, name: str) -> Value | None:
        """What a name stands for here, up to the module and its star imports; ``None``: not bound."""
        frame: Frame | None = self.frame
        first = True
        while frame is not None:
            if frame.globals_declared and name in frame.globals_declared:
                frame = frame.globals_declared[name]
            live = first or (frame.kind == "module" and self.module.state != "done")
            value = frame.get(name) if live else frame.ever.get(name)
            if value is not None and (frame.kind != "class" or (first and value is not MAYBE_UNBOUND)):
                return value
            frame, first = frame.outer, False
        return None

    def named(self, name: str, value: Value | None) -> Value:
        """The value of a name, built-ins included, given what ``lookup`` found."""
        if value is not None and not maybe_unbound(value):
            return value
        outside = self._beyond(name)
        if value is None or value is MAYBE_UNBOUND:
            return outside
        return join([*(option for option in each(value) if option is not MAYBE_UNBOUND), outside])

    def _beyond(self, name: str) -> Value:
        for star in self.frame.module.stars:
            if isinstance(star, Ref):
                path = self.policy.canonical(f"{star.path}.{name}")
                rule = self.policy.exact.get(path) if name in BUILTIN_NAMES else self.policy.match(path)
                if rule is not None or path in self.policy.carried or name == star.path:
                    return Ref(path, star.trail)
        if name in {"__loader__", "__spec__"}:
            return Dunder(name.strip("_"))
        if name in BUILTIN_NAMES:
            return self.ref(f"builtins.{name}" if name != "__builtins__" else name)
        return UNKNOWN
