"""Names and what they stand for: the frames of modules, classes and functions, with overlays for branches."""

from __future__ import annotations

import builtins

from toolchain.scan.evaluate.values import UNKNOWN, Union, Value, join, join2

BUILTIN_NAMES = frozenset(dir(builtins)) | {"execfile", "unicode", "reload", "__builtins__", "get_ipython"}


class Frame:
    """The names of one scope.

    ``layers`` holds the current values, the last layer being the branch under way; ``ever`` joins all values a
    name has had, for code that runs at another time than the one that is being read.
    """

    __slots__ = ("ever", "file", "globals_declared", "kind", "layers", "module", "outer", "parameters", "stars")

    def __init__(self, kind: str, module: Frame | None, outer: Frame | None) -> None:
        self.kind = kind
        self.module: Frame = module if module is not None else self
        self.outer = outer
        self.layers: list[dict[str, Value]] = [{}]
        self.ever: dict[str, Value] = {}
        self.stars: list[Value] = []
        self.globals_declared: dict[str, Frame] = {}
        self.parameters: tuple[str, ...] = ()
        self.file = ""

    @property
    def module_file(self) -> str:
        """The file of the module that this scope is part of."""
        return self.module.file

    def get(self, name: str) -> Value | None:
        """The present value of a name in this scope only."""
        layers = self.layers
        if len(layers) == 1:
            return layers[0].get(name)
        for layer in reversed(layers):
            if name in layer:
                return layer[name]
        return None

    def get_ever(self, name: str) -> Value | None:
        """The join of all values the name has had in this scope."""
        return self.ever.get(name)

    def set(self, name: str, value: Value) -> None:
        """Bind a name."""
        if self.globals_declared and name in self.globals_declared:
            outer = self.globals_declared[name]
            if name in BUILTIN_NAMES and name not in outer.ever:
                value = join2(value, MAYBE_UNBOUND)  # until the function that binds it has run
            outer.add(name, value)
            return
        self.layers[-1][name] = value
        before = self.ever.get(name)
        self.ever[name] = value if before is None else join2(before, value)

    def add(self, name: str, value: Value) -> None:
        """Join a value to what the name may already be."""
        before = self.get(name)
        self.layers[-1][name] = value if before is None else join2(before, value)
        past = self.ever.get(name)
        self.ever[name] = value if past is None else join2(past, value)

    def unset(self, name: str) -> None:
        """Unbind a name: a use of it fails in a function; elsewhere the built-in name counts again."""
        if name in self.globals_declared:
            self.globals_declared[name].add(name, MAYBE_UNBOUND)
        elif self.kind != "function":
            self.set(name, MAYBE_UNBOUND)

    def doubt(self) -> None:
        """At the end of a module: built-in names that some path through it leaves unbound are not only its own."""
        for name in BUILTIN_NAMES & self.ever.keys():
            last = self.layers[0].get(name)
            if last is None or maybe_unbound(last):
                self.ever[name] = join2(self.ever[name], MAYBE_UNBOUND)

    def push(self) -> None:
        """Begin a branch."""
        self.layers.append({})

    def pop(self) -> dict[str, Value]:
        """End a branch and return what it bound."""
        return self.layers.pop()

    def merge(self, branches: list[dict[str, Value]], *, complete: bool) -> None:
        """Join what branches bound. ``complete`` says that one of the branches is taken for sure."""
        names = dict.fromkeys(name for branch in branches for name in branch)
        for name in names:
            options = [branch[name] for branch in branches if name in branch]
            if not complete or len(options) < len(branches):
                before = self.get(name)
                if before is not None:
                    options.insert(0, before)
                elif self.kind != "function":
                    options.append(MAYBE_UNBOUND)
            self.layers[-1][name] = join(options)


class MaybeUnbound(Value):
    __slots__ = ()


MAYBE_UNBOUND = MaybeUnbound()
"""One of the alternatives of a module's name that some path leaves unbound: then the built-in name counts."""


def maybe_unbound(value: Value) -> bool:
    """Whether a name with this value may be unbound."""
    return value is MAYBE_UNBOUND or (type(value) is Union and MAYBE_UNBOUND in value.options)


__all__ = ["BUILTIN_NAMES", "MAYBE_UNBOUND", "UNKNOWN", "Frame", "MaybeUnbound", "maybe_unbound"]
