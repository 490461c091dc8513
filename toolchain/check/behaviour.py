"""Sets what a plugin tried against what it declared: whatever it did not declare fails it, blocked or not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sandbox.trace.behaviour import Behaviour, Category, Doing, Witness, read_behaviour
from sandbox.trace.places import holds_credentials, program
from toolchain.check.guest_run import GuestRun
from toolchain.check.report import CheckResult, Source, judge
from toolchain.check.untrusted import one_line
from toolchain.core.findings import Finding, Severity
from toolchain.plugin.permissions import Permissions


class Judgement(str, Enum):
    """What is to be said of one doing. ``ORDINARY``: shown, and no more."""

    UNDECLARED = "undeclared"
    DECLARED = "declared"
    SUSPECT = "suspect"
    UNCLEAR = "unclear"
    ORDINARY = "ordinary"


SOURCES: dict[Witness, tuple[str, str]] = {
    Witness.KERNEL: (
        "system calls of every process of the plugin, native code included, as they reach the kernel: "
        "connections, questions for names, started programs and denied calls; with --trace also opened files, "
        "executable memory, libraries, signals and long sleeps",
        "lines of Python; what stays within a process; arguments that another thread changes between the look and "
        "the call; names in encrypted questions; what is done by a later date",
    ),
    Witness.INTERPRETER: (
        "audit events of the Python process that a stage shares with the plugin, with file and line: the same "
        "attempts, code compiled from text, native libraries, reads of environment variables",
        "native code, other programs, C's getenv; and the plugin may silence it or make it lie",
    ),
}
"""What each source sees, and what it cannot see."""

_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost):\d+")
_QUIET_SOCKETS = re.compile(r"AF_INET6? (?:stream|datagram)|AF_NETLINK \w+")
_IS_SECRET = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY", re.IGNORECASE
)
_WHOLE_ENVIRONMENT = "(all of it)"
_PROBES = ("io_uring_setup",)  # event loops ask for it and do without
# The guest cuts a word at 256 bytes (``sandbox.guest.trace.memory``): of a shorter line nothing is missing.
_WHOLE_BYTES = 256
# What the standard library and common packages start to find out about the machine, word for word.
_HOUSEKEEPING = re.compile(
    r"\S*ldconfig -p"
    r"|\S*(?:gcc|cc) -Wl,-t -o \S+ -l\S+"
    r"|\S*ld -t(?: -L \S+)* -o \S+ -l\S+"
    r"|\S*objdump -p -j .dynamic \S+"
    r"|\S*uname -p|\S*lscpu(?: --json| -J)?|\S*nvidia-smi(?: -L)?"
    r"|\S*python[0-9.]* (?:-[A-Za-z]+ )*-c from multiprocessing\.(?:resource_tracker|spawn|forkserver) "
    r"import \w+; ?\w+\([\w=, \[\]'/.*-]*\)(?: --multiprocessing-fork)?"
)


def check_behaviour(run: GuestRun, permissions: Permissions) -> tuple[CheckResult, dict[str, Any]]:
    """The check over what was tried, and the report on it.

    Where everything is to be watched and the kernel was no witness, the result is that we could not tell.
    """
    behaviour = read_behaviour({stage: report.tried for stage, report in run.transcript.stages.items()})
    judged = [(doing, judgement(doing, behaviour, permissions)) for doing in behaviour.doings]
    findings = [found for doing, said in judged if (found := _finding(doing, said))]
    findings += [*_about_sources(run), *_about_the_rest(behaviour)]
    undeclared = sum(said is Judgement.UNDECLARED for _, said in judged)
    detail = (
        f"{undeclared} undeclared attempt{'s' * (undeclared != 1)}"
        if undeclared
        else "nothing undeclared was tried"
    )
    source = Source.ENGINE if run.kernel_watched else Source.CLAIMED
    report = {
        "watch": run.watch,
        "sources": [
            {
                "source": witness.value,
                "present": witness is Witness.INTERPRETER or run.kernel_watched,
                "sees": sees,
                "cannot_see": blind,
            }
            for witness, (sees, blind) in SOURCES.items()
        ],
        "declared": permissions.to_json(),
        "tried": [{**doing.to_json(), "judgement": said.value} for doing, said in judged],
        "left_out": dict(behaviour.left_out),
    }
    return judge("behaviour", detail, source, findings), report


def judgement(doing: Doing, behaviour: Behaviour, permissions: Permissions) -> Judgement:
    """What is to be said of one doing, all doings of the run being known."""
    rule = _RULES.get(doing.category)
    return rule(doing, behaviour, permissions) if rule is not None else Judgement.ORDINARY


def _network(doing: Doing, _behaviour: Behaviour, permissions: Permissions) -> Judgement:
    if doing.kind == "socket":
        return Judgement.ORDINARY if _QUIET_SOCKETS.fullmatch(doing.subject) else Judgement.UNDECLARED
    if doing.kind == "unix-socket":
        return Judgement.UNDECLARED if holds_credentials(doing.subject) else Judgement.ORDINARY
    if permissions.allows_host(doing.subject):
        return Judgement.DECLARED
    # urllib3 binds a port of its own machine to learn whether it has IPv6.
    is_own_port = doing.kind == "listen" and _LOOPBACK.fullmatch(doing.subject)
    return Judgement.ORDINARY if is_own_port else Judgement.UNDECLARED


def _names(doing: Doing, behaviour: Behaviour, permissions: Permissions) -> Judgement:
    if not doing.subject.endswith(":53"):
        return Judgement.DECLARED if permissions.allows_name(doing.subject) else Judgement.UNDECLARED
    # The way to the name server is no attempt of its own where the question became known.
    asked = any(other.category is Category.DNS and not other.subject.endswith(":53") for other in behaviour.doings)
    return Judgement.ORDINARY if asked else Judgement.UNDECLARED


def _execution(doing: Doing, _behaviour: Behaviour, permissions: Permissions) -> Judgement:
    if permissions.allows_program(doing.subject):
        return Judgement.DECLARED
    return Judgement.ORDINARY if _is_housekeeping(doing) else Judgement.UNDECLARED


def _is_housekeeping(doing: Doing) -> bool:
    # By what was started, not by its arguments alone: a shell that is called `uname` is a shell.
    name = doing.arguments[0].rpartition("/")[2] if doing.arguments else ""
    line = " ".join(doing.arguments)
    # What was cut off was not seen, so it is not known to be harmless.
    is_whole = len(line.encode("utf-8", "surrogatepass")) < _WHOLE_BYTES
    return program(doing.subject) == name and is_whole and _HOUSEKEEPING.fullmatch(line) is not None


def _environment(doing: Doing, _behaviour: Behaviour, permissions: Permissions) -> Judgement:
    if permissions.allows_variable(doing.subject):
        return Judgement.DECLARED
    is_whole = doing.subject == _WHOLE_ENVIRONMENT or doing.subject.startswith("/proc/")
    return Judgement.UNDECLARED if is_whole or _IS_SECRET.search(doing.subject) else Judgement.ORDINARY


def _denied(doing: Doing, _behaviour: Behaviour, _permissions: Permissions) -> Judgement:
    return Judgement.SUSPECT if doing.subject in _PROBES else Judgement.UNDECLARED


def _processes(doing: Doing, _behaviour: Behaviour, _permissions: Permissions) -> Judgement:
    is_aimed = doing.kind == "signal" and not doing.subject.endswith("a process")
    return Judgement.SUSPECT if doing.kind == "left-running" or is_aimed else Judgement.ORDINARY


def _never(_doing: Doing, _behaviour: Behaviour, _permissions: Permissions) -> Judgement:
    return Judgement.UNDECLARED


def _tampering(doing: Doing, _behaviour: Behaviour, _permissions: Permissions) -> Judgement:
    return Judgement.UNCLEAR if doing.kind == "unanswered" else Judgement.UNDECLARED


_RULES: dict[Category, Callable[[Doing, Behaviour, Permissions], Judgement]] = {
    Category.NETWORK: _network,
    Category.DNS: _names,
    Category.EXECUTION: _execution,
    Category.DENIED_CALL: _denied,
    Category.CREDENTIALS: _never,
    Category.PERSISTENCE: _never,
    Category.TAMPERING: _tampering,
    Category.ENVIRONMENT: _environment,
    Category.PROCESSES: _processes,
}


@dataclass(frozen=True)
class _Words:
    """How a category is told: a verb, and what to do about it with ``{}`` for what may be declared."""

    tried: str
    remedy: str


_WORDS: dict[Category, _Words] = {
    Category.NETWORK: _Words(
        "tried to reach {}", 'remove it, or declare the host: permissions = {{"hosts": ["{}"]}}'
    ),
    Category.DNS: _Words(
        "asked for the address of {}", 'remove it, or declare the host: permissions = {{"hosts": ["{}"]}}'
    ),
    Category.EXECUTION: _Words(
        "tried to run {}", 'remove it, or declare the program: permissions = {{"executables": ["{}"]}}'
    ),
    Category.DENIED_CALL: _Words(
        "made the system call {}", "remove the code that makes it: no plugin has a use for it"
    ),
    Category.CREDENTIALS: _Words("tried to open {}", "remove it: no plugin has business with keys and passwords"),
    Category.PERSISTENCE: _Words(
        "tried to write {}", "remove it: what lies there is run later, outside any plugin"
    ),
    Category.TAMPERING: _Words("interfered with what watches it: {}", "remove that code"),
    Category.ENVIRONMENT: _Words(
        "read the environment: {}",
        'read single variables, and declare them: permissions = {{"environment": ["NAME"]}}',
    ),
    Category.PROCESSES: _Words("left or disturbed processes: {}", "end what was started, and signal only that"),
}
_SEVERITIES = {
    Judgement.UNDECLARED: Severity.ERROR,
    Judgement.SUSPECT: Severity.WARNING,
    Judgement.UNCLEAR: Severity.UNKNOWN,
}


def _finding(doing: Doing, said: Judgement) -> Finding | None:
    severity = _SEVERITIES.get(said)
    if severity is None:
        return None
    words = _WORDS[doing.category]
    subject = one_line(" ".join(doing.arguments) or doing.subject)
    what = words.tried.format(subject)
    times = f", {doing.count} times" if doing.count > 1 else ""
    became = f", {doing.answer}" if doing.answer else ""
    message = f"{', '.join(doing.stages)}: {what} ({_witnesses(doing)}{became}{times})"
    declared = doing.subject.rpartition("/")[2] if doing.category is Category.EXECUTION else doing.subject
    remedy = words.remedy.format(one_line(declared))
    return Finding(severity, f"behaviour.{doing.category.value}", message, remedy, doing.file, doing.line)


def _witnesses(doing: Doing) -> str:
    return " and ".join(witness.value for witness in Witness if witness in doing.witnesses)


def _about_sources(run: GuestRun) -> Iterable[Finding]:
    if run.kernel_watched:
        return
    message = "the kernel was no witness here, so native code could hide what it tried"
    remedy = "run on an engine whose runtime shares a kernel of 5.9 or later: not gVisor"
    severity = Severity.UNKNOWN if run.watch == "everything" else Severity.WARNING
    yield Finding(severity, "behaviour.one-source", message, remedy)


def _about_the_rest(behaviour: Behaviour) -> Iterable[Finding]:
    if unjudged := behaviour.unjudged:
        counts = ", ".join(f"{count} of {kind}" for kind, count in unjudged.items())
        message = f"more was tried than can be listed, so not all of it was judged: {counts}"
        yield Finding(Severity.UNKNOWN, "behaviour.too-much", message, "remove the code that floods the report")
