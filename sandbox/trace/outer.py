"""The engine's profile where the inner filter stands behind it: what that one reports has to come through."""

from __future__ import annotations

from typing import Any

from sandbox.trace.calls import PASSED_ON_BY_ARGUMENT, refused_names

# Of a listener (include/uapi/linux/seccomp.h): receive, answer, ask whether a call still waits, hand a descriptor
# in. Process 1 alone holds one, and the inner filter refuses them to everybody else.
_LISTENER_REQUESTS = (0xC0502100, 0xC0182101, 0x40082102, 0x40182103)


def watched(profile: dict[str, Any]) -> dict[str, Any]:
    """``profile`` with the calls passed on that the inner filter refuses and reports.

    Only a guest whose worker installs that filter before it runs any code of a plugin may be started under it:
    process 1 checks, and ends the container otherwise.
    """
    kept = [rule for rule in profile["syscalls"] if not set(rule["names"]) <= set(PASSED_ON_BY_ARGUMENT)]
    # Calls that share a conditional rule with one of those (socketpair) keep it.
    kept = [
        {**rule, "names": [name for name in rule["names"] if name not in PASSED_ON_BY_ARGUMENT]} for rule in kept
    ]
    outright = {name for rule in kept if "args" not in rule for name in rule["names"]}
    passed_on = sorted({*refused_names(), *PASSED_ON_BY_ARGUMENT, "sendmmsg"} - outright)
    return {
        **profile,
        "syscalls": [
            *kept,
            {"names": passed_on, "action": "SCMP_ACT_ALLOW"},
            *(
                {
                    "names": ["ioctl"],
                    "action": "SCMP_ACT_ALLOW",
                    "args": [{"index": 1, "value": request, "op": "SCMP_CMP_EQ"}],
                }
                for request in _LISTENER_REQUESTS
            ),
        ],
    }
