"""The source as the engines' profiles: ``python -m sandbox.seccomp.profile`` writes them beside this file."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.seccomp.source import (
    ANSWERS,
    CONDITIONS,
    GPU_CONDITIONS,
    GPU_GROUPS,
    GROUPS,
    GVISOR_GROUPS,
    Answer,
    Condition,
    Group,
)

# The native ABI of each and none of its others: no i386, x32 or arm below them.
_ARCHITECTURES = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
_EPERM = 1


@dataclass(frozen=True)
class Profile:
    """One profile: what it allows outright and for some arguments, and what it refuses with another error."""

    groups: tuple[Group, ...]
    conditions: tuple[Condition, ...] = CONDITIONS
    answers: tuple[Answer, ...] = ANSWERS

    @property
    def outright(self) -> list[str]:
        """The syscalls that are allowed whatever their arguments."""
        return sorted(call for group in self.groups for call in group.calls)

    @property
    def names(self) -> list[str]:
        """Every syscall that some arguments get through, each once."""
        return sorted({*self.outright, *(call for condition in self.conditions for call in condition.calls)})

    @property
    def answered(self) -> dict[str, int]:
        """The errno of each syscall that is refused with another error than EPERM."""
        allowed = set(self.outright)
        return {call: one.errno for one in self.answers for call in one.calls if call not in allowed}

    def to_json(self) -> dict[str, Any]:
        """The profile in the format that Docker and podman read (moby's ``profiles/seccomp``)."""
        return {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": _EPERM,
            "archMap": [{"architecture": name, "subArchitectures": []} for name in _ARCHITECTURES],
            "syscalls": [
                {"names": self.outright, "action": "SCMP_ACT_ALLOW"},
                *map(_conditional, self.conditions),
                *(
                    {"names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": errno}
                    for call, errno in self.answered.items()
                ),
            ],
        }

    def render(self) -> str:
        """The profile's file, byte for byte."""
        return json.dumps(self.to_json(), indent=2) + "\n"


PROFILES: Final[Mapping[str, Profile]] = {
    "cpu": Profile(GROUPS),
    "gpu": Profile((*GROUPS, *GPU_GROUPS), (*CONDITIONS, *GPU_CONDITIONS)),
    "gvisor": Profile((*GROUPS, *GVISOR_GROUPS)),
}
"""The profiles by the names that a policy gives them."""


def main() -> None:
    """Write the files and say how many names each allows."""
    for name, profile in PROFILES.items():
        target = Path(__file__).with_name(f"{name}.json")
        target.write_text(profile.render(), encoding="utf-8")
        sys.stdout.write(f"{target.name}: {len(profile.names)} names\n")


def _conditional(condition: Condition) -> dict[str, Any]:
    # For a masked comparison the format has the mask first and what must be left of the argument second.
    if condition.operator == "masked":
        argument = {"value": condition.mask, "valueTwo": condition.value, "op": "SCMP_CMP_MASKED_EQ"}
    else:
        argument = {"value": condition.value, "op": "SCMP_CMP_EQ"}
    return {
        "names": list(condition.calls),
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": condition.argument, **argument}],
    }


if __name__ == "__main__":
    main()
