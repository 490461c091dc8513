"""The filter that the guest's worker installs, as data: what it notifies of, and how the guest answers."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from sandbox.guest.numbers import NUMBERS
from sandbox.seccomp.source import NAMESPACE_FLAGS
from sandbox.trace.bpf import ARCHITECTURES, Action, Rule, Test, assemble
from sandbox.trace.calls import refused_names
from sandbox.trace.places import PACKAGES, QUIET, SENSITIVE, SYSTEM_LIBRARIES
from toolchain.core.digests import sha256_json

_AF_UNIX = 1
_SOL_SOCKET = 1
_MSG_NOSIGNAL = 0x4000
_PR_SET_DUMPABLE, _PR_SET_SECCOMP = 4, 22
_PROT_EXEC = 4

_NETWORK = (
    Rule("socket", tests=(Test(0, _AF_UNIX, unequal=True),)),
    Rule("connect"),
    Rule("bind"),
    Rule("sendto", tests=(Test(4, whole=True),)),  # to an address
    # glibc's resolver sends its questions so; Python's own sockets set no flag.
    Rule("sendto", tests=(Test(3, _MSG_NOSIGNAL, _MSG_NOSIGNAL),)),
    Rule("sendmsg"),
    Rule("sendmmsg"),
    # TCP_NODELAY and its like, which the stand-in for an internet socket does not know.
    Rule("setsockopt", tests=(Test(1, _SOL_SOCKET, unequal=True),)),
)
_PROCESSES = (
    Rule("execve"),
    Rule("clone", tests=(Test(0, 0, NAMESPACE_FLAGS, unequal=True),)),
    # A process that hides its memory hides what it asks for.
    Rule("prctl", tests=(Test(0, _PR_SET_DUMPABLE), Test(1, 0))),
    Rule("prctl", tests=(Test(0, _PR_SET_SECCOMP),)),
    # The requests of a listener, whoever came to hold one.
    Rule("ioctl", Action.REFUSE, tests=(Test(1, ord("!") << 8, 0xFF00),)),
)
_CLOSELY = (
    Rule("open"),
    Rule("openat"),
    Rule("symlink"),
    Rule("symlinkat"),
    Rule("mmap", tests=(Test(2, _PROT_EXEC, _PROT_EXEC),)),
    Rule("mprotect", tests=(Test(2, _PROT_EXEC, _PROT_EXEC),)),
    Rule("clock_nanosleep"),
    Rule("nanosleep"),
    Rule("memfd_create"),
    Rule("kill"),
)


@dataclass(frozen=True)
class InnerFilter:
    """What to report and what to refuse beyond the calls that are always refused.

    ``closely`` adds opened files, executable memory, long sleeps and signals, which cost more. ``run_programs``:
    whether a process may become another program once the plugin's code may run. Without ``kernel`` no filter is
    installed and the interpreter is the only source: gVisor knows no notification.
    """

    closely: bool = False
    run_programs: bool = True
    kernel: bool = True

    def rules(self) -> tuple[Rule, ...]:
        """The filter's rules."""
        refused = tuple(Rule(name) for name in refused_names())
        return (*_NETWORK, *_PROCESSES, *refused, *(_CLOSELY if self.closely else ()))

    def to_json(self) -> dict[str, Any]:
        """Everything that the guest needs to install the filter and to answer for it."""
        rules = self.rules()
        named = {rule.call for rule in rules}
        numbers = {
            architecture: {name: pair[position] for name, pair in NUMBERS.items() if name in named}
            for position, architecture in enumerate(ARCHITECTURES)
        }
        known = {
            architecture: {name: number for name, number in found.items() if number is not None}
            for architecture, found in numbers.items()
        }
        return {
            "program": base64.b64encode(assemble(rules, known)).decode() if self.kernel else None,
            "numbers": known,
            "refused": refused_names(),
            "run_programs": self.run_programs,
            "quiet": list(QUIET),
            "sensitive": SENSITIVE,
            "packages": list(PACKAGES),
            "system_libraries": list(SYSTEM_LIBRARIES),
        }

    def to_argument(self) -> str:
        """The filter as one word of the guest's command line."""
        return base64.b64encode(json.dumps(self.to_json(), separators=(",", ":")).encode()).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of all that."""
        return sha256_json(self.to_json())
