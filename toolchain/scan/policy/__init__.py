"""What is forbidden, warned of and allowed: one data file, its version and its digest."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from toolchain.core.digests import sha256_bytes

Level = Literal["forbidden", "warned", "allowed"]

_MOVES = ("six.moves.", "future.moves.", "requests.packages.")
_ALWAYS_CARRIED = frozenset({"os", "sys", "builtins", "subprocess"})
_FILE = Path(__file__).with_name("rules.toml")


@dataclass(frozen=True)
class Rule:
    """One rule: the class of power, how bad it is, and what to do instead; ``judge`` names an argument check.

    A rule reaches ``names``; one without names is about files, and its ``summary`` says what.
    """

    id: str
    power: str
    default: Level
    strict: Level
    remedy: str
    judge: str | None = None
    summary: str = ""
    names: tuple[str, ...] = ()

    def level(self, *, strict: bool) -> Level:
        """The severity under the default or the strict list."""
        return self.strict if strict else self.default


@dataclass(frozen=True)
class Variable:
    """An environment variable that a plugin may not set: under which rule, and what the finding notes."""

    rule: str
    reason: str
    note: str = ""


@dataclass(frozen=True)
class Keyword:
    """A keyword that hands power on, whoever is called.

    With ``own``, any value without that text counts; else one that may be true, or, with ``unknown``, that may be
    anything. It counts only where the called name ends in ``called`` and the file imports ``imported``, as far as
    they are given.
    """

    rule: str
    reason: str
    shown: str = ""
    own: str = ""
    unknown: bool = False
    called: str = ""
    imported: str = ""


@dataclass(frozen=True)
class TextArgument:
    """Where a function that runs text as code takes it from.

    ``beside`` is the argument that must be text too, ``listed`` says that a list of texts may be given, or none,
    and ``objects`` that the function takes what a text would name as well.
    """

    keyword: str
    reason: str = ""
    position: int = 0
    beside: TextArgument | None = None
    listed: bool = False
    objects: bool = False


@dataclass
class Policy:
    """The compiled rule set. ``match`` maps a canonical name to its rule."""

    version: int
    digest: str
    rules: dict[str, Rule]
    exact: dict[str, Rule]
    prefixes: dict[str, Rule]
    aliases: dict[str, str]
    carried: frozenset[str]
    sensitive: frozenset[str]
    environment: dict[str, Variable]
    keywords: dict[str, Keyword]
    texts: dict[str, TextArgument]
    stems: frozenset[str] = frozenset()
    _memo: dict[str, Rule | None] = field(default_factory=dict)
    _modules: set[str] = field(default_factory=set)
    _canon: dict[str, str] = field(default_factory=dict)

    def match(self, path: str) -> Rule | None:
        """The rule for a canonical path; the longest pattern wins."""
        if path in self._memo:
            return self._memo[path]
        found = self._memo[path] = self._search(path)
        return found

    def _search(self, path: str) -> Rule | None:
        if path in self.exact:
            return self.exact[path]
        head = path
        while head:
            if head in self.prefixes:
                return self.prefixes[head]
            if head.endswith(("()", "[]")):
                return None  # the call itself was judged where it happened
            head = head.rpartition(".")[0]
        return None

    def know_module(self, name: str) -> None:
        """Note that an import statement names this module: a package's own ``x.socket`` is not the library's.

        A few names stay what they are in every package, so that no import that would fail can hide them.
        """
        if "." not in name or name in self._modules or name.startswith(_MOVES):
            return
        if name.rpartition(".")[2] in self.carried and name.rpartition(".")[2] not in _ALWAYS_CARRIED:
            self._modules.add(name)
            self._canon.clear()

    def canonical(self, path: str) -> str:
        """The one spelling of a path: aliases resolved, modules carried by other modules cut free."""
        known = self._canon.get(path)
        if known is None:
            known = self._canon[path] = self._canonical(path)
        return known

    def _canonical(self, path: str) -> str:
        parts = path.split(".")
        for position in range(len(parts) - 1, 0, -1):
            name = parts[position] if parts[position] in self.carried else parts[position].lstrip("_")
            if name in self.carried and self._is_carried(parts[: position + 1]):
                path = ".".join([name, *parts[position + 1 :]])
                break
        for _ in range(4):
            before, path = path, self._unaliased(path)
            if path == before:
                break
        return path

    def _is_carried(self, parts: list[str]) -> bool:
        """Whether the last part is the library's module, found as an attribute of what goes before."""
        whole = ".".join(parts)
        if whole in self.stems or whole in self.exact or whole in self._modules:
            return False  # a rule or an import names this very thing, as gevent.socket
        before = parts[-2]
        return before not in {"builtins", "green", parts[-1]} and not any("(" in part for part in parts[:-1])

    def _unaliased(self, path: str) -> str:
        head = path
        while head:
            if head in self.aliases:
                return self.aliases[head] + path[len(head) :]
            head = head[:-2] if head.endswith("()") else head.rpartition(".")[0]
        return path


def policy_digest() -> str:
    """The digest of the rule set, without the cost of reading it."""
    return sha256_bytes(_FILE.read_bytes())


@lru_cache(maxsize=1)
def load_policy() -> Policy:
    """The rule set that ships with this version."""
    from toolchain.core.toml import parse_toml  # an unchanged plugin is answered without it

    data = _FILE.read_bytes()
    document = parse_toml(data)
    exact: dict[str, Rule] = {}
    prefixes: dict[str, Rule] = {}
    rules: dict[str, Rule] = {}
    for entry in document["rule"]:
        rule = _rule(entry)
        rules[rule.id] = rule
        for name in rule.names:
            _place(name, rule, exact, prefixes)
    return Policy(
        version=document["version"],
        digest=sha256_bytes(data),
        rules=rules,
        exact=exact,
        prefixes=prefixes,
        aliases=document["aliases"],
        carried=frozenset(document["modules"]["carried"]),
        sensitive=frozenset(document["modules"]["sensitive"]),
        environment={name: Variable(**entry) for name, entry in document["environment"].items()},
        keywords={name: Keyword(**entry) for name, entry in document["keywords"].items()},
        texts={name: _text_argument(entry) for name, entry in document["texts"].items()},
        stems=frozenset(prefixes),
    )


def _rule(entry: dict[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        power=entry["class"],
        default=entry["default"],
        strict=entry["strict"],
        remedy=entry["remedy"],
        judge=entry.get("judge"),
        summary=entry.get("summary", ""),
        names=tuple(entry.get("names", ())),
    )


def _text_argument(entry: dict[str, Any]) -> TextArgument:
    beside = entry.pop("beside", None)
    return TextArgument(**entry, beside=None if beside is None else TextArgument(**beside))


def _place(name: str, rule: Rule, exact: dict[str, Rule], prefixes: dict[str, Rule]) -> None:
    """Earlier rules win where two name the same thing."""
    if name.endswith(".**"):
        prefixes.setdefault(name[:-3], rule)
    elif name.endswith(".*"):
        prefixes.setdefault(name[:-2], rule)
    else:
        exact.setdefault(name, rule)
