"""What a plugin tried, from two sources that know nothing of each other, as one bounded account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from sandbox.guest.trace.ledger import LET_THROUGH
from sandbox.trace.places import holds_credentials, program, starts_programs


class Category(str, Enum):
    """Kinds of doings, in the order in which they are shown."""

    NETWORK = "network"
    DNS = "dns"
    EXECUTION = "execution"
    DENIED_CALL = "denied-call"
    CREDENTIALS = "credentials"
    PERSISTENCE = "persistence"
    TAMPERING = "tampering"
    ENVIRONMENT = "environment"
    DYNAMIC_CODE = "dynamic-code"
    LIBRARY = "library"
    PROCESSES = "processes"
    DELAY = "delay"
    FILE = "file"


class Witness(str, Enum):
    """Whose word it is: the kernel's, heard by process 1, or that of the interpreter which the plugin shares."""

    KERNEL = "observed"
    INTERPRETER = "claimed"


_CATEGORIES = {
    "connect": Category.NETWORK,
    "listen": Category.NETWORK,
    "socket": Category.NETWORK,
    "unix-socket": Category.NETWORK,
    "dns": Category.DNS,
    "execute": Category.EXECUTION,
    "denied-call": Category.DENIED_CALL,
    "unanswered": Category.TAMPERING,
    "forged": Category.TAMPERING,
    "library": Category.LIBRARY,
    "executable-memory": Category.DYNAMIC_CODE,
    "dynamic-code": Category.DYNAMIC_CODE,
    "memory-file": Category.PROCESSES,
    "signal": Category.PROCESSES,
    "left-running": Category.PROCESSES,
    "processor-time": Category.PROCESSES,
    "environment": Category.ENVIRONMENT,
    "sleep": Category.DELAY,
}
_FILES = ("read", "write", "sensitive-read", "sensitive-write")
# Of these one that is not listed might be the one that matters.
_JUDGED = (
    "connect",
    "listen",
    "socket",
    "unix-socket",
    "dns",
    "execute",
    "denied-call",
    "environment",
    *_FILES[2:],
)
_ENVIRONMENT_FILE = re.compile(r"^/proc/(?:\d+|self|thread-self)/environ$")


@dataclass(frozen=True)
class Doing:
    """One thing that was tried.

    ``kind`` is what the source calls it, ``answer`` what became of it (``refused``, ``let through to the kernel``,
    …; empty where only the interpreter tells). ``count`` is the larger of what the witnesses say. ``file`` and
    ``line`` are a line of the plugin's, where Python knows it; ``by`` the program that made the call, where the
    kernel tells.
    """

    category: Category
    kind: str
    subject: str
    count: int = 1
    stages: tuple[str, ...] = ()
    witnesses: frozenset[Witness] = frozenset()
    answer: str = ""
    arguments: tuple[str, ...] = ()
    by: str = ""
    file: str | None = None
    line: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The doing as it is reported."""
        return {
            "category": self.category.value,
            "kind": self.kind,
            "subject": self.subject,
            "count": self.count,
            "stages": list(self.stages),
            "sources": sorted(witness.value for witness in self.witnesses),
            "answer": self.answer or None,
            "arguments": list(self.arguments),
            "by": self.by or None,
            "file": self.file,
            "line": self.line,
        }


@dataclass(frozen=True)
class Behaviour:
    """Everything that was tried in one run. ``left_out`` counts by kind what the bounds kept from the list."""

    doings: tuple[Doing, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def unjudged(self) -> dict[str, int]:
        """Of what was left out, the kinds that decide a verdict."""
        return {kind: count for kind, count in self.left_out.items() if kind in _JUDGED}


def read_behaviour(tried: Mapping[str, Any]) -> Behaviour:
    """The account of a run from what process 1 wrote down in each stage.

    ``tried`` maps a stage to ``{"observed": …, "claimed": …}``, each with ``events`` and ``left_out``
    (``sandbox.guest.trace.ledger``). What has another form is passed over: it can only be missing.
    """
    found: dict[tuple[str, str, str], Doing] = {}
    left_out: dict[str, int] = {}
    # The kernel's word first: a claim then adds its line to what was seen.
    for witness in Witness:
        for stage, account in tried.items():
            told = _dictionary(_dictionary(account).get(witness.value))
            for kind, count in _dictionary(told.get("left_out")).items():
                left_out[kind] = left_out.get(kind, 0) + _number(count)
            events = told.get("events")
            for event in events if isinstance(events, list) else ():
                doing = _doing(_dictionary(event), witness, stage)
                if doing is not None:
                    _merge(found, doing)
    order = list(Category)
    doings = sorted(found.values(), key=lambda doing: (order.index(doing.category), doing.kind, doing.subject))
    return Behaviour(tuple(doings), left_out)


def _merge(found: dict[tuple[str, str, str], Doing], new: Doing) -> None:
    subject = new.subject
    if new.category is Category.EXECUTION:
        # The first of the arguments is the caller's to choose, so it does not say which program it is.
        subject = " ".join((program(new.subject), *new.arguments))
    key = (new.category.value, new.kind, subject)
    if new.category is Category.DNS and key not in found:
        # The resolver may have tried the name within the domains that it searches.
        key = next((known for known in found if known[:2] == key[:2] and known[2].startswith(f"{key[2]}.")), key)
    old = found.get(key)
    if old is None:
        found[key] = new
        return
    both = old.witnesses | new.witnesses
    # A program that is looked for along PATH is tried in every folder of it: one start, most of them in vain.
    is_search = "no such file" in {old.answer, new.answer} and new.category is Category.EXECUTION
    is_sum = old.witnesses == new.witnesses and not is_search
    count = old.count + new.count if is_sum else max(old.count, new.count)
    answer = LET_THROUGH if LET_THROUGH in (old.answer, new.answer) else old.answer or new.answer
    shown = new if old.answer == "no such file" and new.answer == LET_THROUGH else old
    found[key] = replace(
        shown,
        count=count,
        stages=tuple(dict.fromkeys((*old.stages, *new.stages))),
        witnesses=both,
        answer=answer,
        file=old.file or new.file,
        line=old.line or new.line,
    )


def _doing(event: dict[str, Any], witness: Witness, stage: str) -> Doing | None:
    kind, subject = event.get("kind"), event.get("subject")
    if not isinstance(kind, str) or not isinstance(subject, str):
        return None
    category = _file_category(kind, subject) if kind in _FILES else _CATEGORIES.get(kind)
    if category is None:
        return None
    arguments = event.get("arguments")
    line = event.get("line")
    return Doing(
        category=category,
        kind=kind,
        subject=subject,
        count=max(1, _number(event.get("count"))),
        stages=(stage,),
        witnesses=frozenset({witness}),
        answer=_text(event.get("answer")),
        arguments=tuple(word for word in arguments if isinstance(word, str))
        if isinstance(arguments, list)
        else (),
        by=_text(event.get("by")),
        file=_text(event.get("file")) or None,
        line=line if isinstance(line, int) and line > 0 else None,
    )


def _file_category(kind: str, path: str) -> Category:
    if kind.endswith("write") and starts_programs(path):
        return Category.PERSISTENCE
    if _ENVIRONMENT_FILE.match(path):
        return Category.ENVIRONMENT
    return Category.CREDENTIALS if holds_credentials(path) else Category.FILE


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
