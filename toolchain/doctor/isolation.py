"""Whether the sandbox's walls truly stand: judged from what probe containers could and could not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolchain.doctor.model import Check, Status, Surroundings, ok
from toolchain.doctor.probing import MEMORY_POLICY, PROBE_POLICY, Ended, Probes, probe

_CGROUPS = "enable this cgroup controller for the engine (kernel command line, or the engine's cgroup settings)"
_ENGINE = "use an engine that enforces it: Docker Engine 20.10 or newer, or podman 4 or newer with runc or crun"
_MEBIBYTE = 1 << 20
_KILLED = 128 + 9
_FALLBACK_TUNNELS = {"tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}


def isolation(surroundings: Surroundings) -> list[Check]:
    """Every wall as a check; unknown, not passed, when there is no engine or no image to probe with."""
    if surroundings.engine is None or surroundings.base_image is None:
        missing = "no engine answers" if surroundings.engine is None else "there is no base image yet"
        detail = f"not probed: {missing}"
        return [Check("isolation", Status.UNKNOWN, detail, "run `mixpeek doctor --fix`")]
    return judge(probe(surroundings), surroundings.info)


def judge(probes: Probes, info: Any) -> list[Check]:
    """The probes' outcomes as checks. Pure."""
    judges: tuple[Callable[[dict[str, Any]], Check], ...] = (
        _network,
        _privileges,
        _capabilities,
        _root,
        _scratch,
        _processes,
        _processor,
    )
    return [_seccomp(probes.report, info), *(one(probes.report) for one in judges), _memory(probes.memory)]


def _verdict(name: str, holds: bool, detail: str, remedy: str) -> Check:
    return ok(name, detail) if holds else Check(name, Status.ERROR, detail, remedy)


def _seccomp(report: dict[str, Any], info: Any) -> Check:
    mode = _field(report, "process_status", "Seccomp")
    refused, allowed = report.get("internet_socket"), report.get("unix_socket")
    known = any("seccomp" in str(option) for option in info.get("SecurityOptions") or [])
    # Mode 2 is a filter (proc_pid_status(5)). Docker's own profile allows the socket that ours denies.
    holds = mode == "2" and refused in {"EPERM", "EACCES"} and allowed == "done"
    detail = "our profile is enforced: an internet socket is refused, a unix socket is not"
    if not holds:
        detail = f"our profile is not enforced: mode {mode}, internet socket {refused}, unix socket {allowed}"
        detail += "" if known else "; the engine itself reports no seccomp"
    return _verdict(
        "seccomp", holds, detail, "use a kernel with CONFIG_SECCOMP_FILTER and an engine built with seccomp"
    )


def _network(report: dict[str, Any]) -> Check:
    found = report.get("interfaces")
    # Tunnel devices without an address appear in every new namespace when their modules are loaded.
    others = {str(name) for name in found} - {"lo"} - _FALLBACK_TUNNELS if isinstance(found, list) else None
    holds = others is not None and not others
    detail = "no interface but lo" if holds else f"interfaces seen: {found}"
    return _verdict("no-network", holds, detail, _ENGINE)


def _privileges(report: dict[str, Any]) -> Check:
    value = _field(report, "process_status", "NoNewPrivs")
    return _verdict("no-new-privileges", value == "1", f"NoNewPrivs is {value}", _ENGINE)


def _capabilities(report: dict[str, Any]) -> Check:
    sets = [_field(report, "process_status", name) for name in ("CapEff", "CapBnd")]
    user = _field(report, "process_status", "Uid").split()[:1]
    expected = [PROBE_POLICY.user.partition(":")[0]]
    holds = all(value.strip("0") == "" and value for value in sets) and user == expected
    detail = f"none, user {expected[0]}" if holds else f"effective {sets[0]}, bounding {sets[1]}, user {user}"
    return _verdict("capabilities", holds, detail, _ENGINE)


def _root(report: dict[str, Any]) -> Check:
    write, options = report.get("root_write"), report.get("root_mount")
    holds = write in {"EROFS", "EACCES", "EPERM"} and isinstance(options, list) and "ro" in options
    detail = f"mounted read-only, a write gives {write}" if holds else f"a write gives {write}, mounted {options}"
    return _verdict("read-only-root", holds, detail, _ENGINE)


def _scratch(report: dict[str, Any]) -> Check:
    outcome = _object(report, "scratch")
    written, limit = outcome.get("written"), PROBE_POLICY.scratch
    holds = outcome.get("error") in {"ENOSPC", "EDQUOT"} and isinstance(written, int) and written <= limit
    detail = f"full after {_size(written)} of {_size(limit)} allowed, {outcome.get('error')}"
    return _verdict("scratch-limit", holds, detail, _ENGINE)


def _processes(report: dict[str, Any]) -> Check:
    outcome = _object(report, "forks")
    made, limit = outcome.get("made"), PROBE_POLICY.processes
    holds = outcome.get("error") == "EAGAIN" and isinstance(made, int) and 0 < made < limit
    detail = f"{made} forks under a limit of {limit}, then {outcome.get('error')}"
    return _verdict("process-limit", holds, detail, _CGROUPS)


def _processor(report: dict[str, Any]) -> Check:
    outcome = _object(report, "processor")
    share, throttled, limit = outcome.get("share"), outcome.get("throttled"), PROBE_POLICY.cpus
    if not isinstance(share, float) or not isinstance(throttled, (int, type(None))):
        return Check("processor-limit", Status.ERROR, f"no measurement: {report.get('processor')}", _CGROUPS)
    detail = f"a busy loop got {share:.2f} processors under a limit of {limit}"
    if throttled is None:
        # Out of the container's view. The quota is dealt out in slices, hence up to half as much again.
        return _verdict("processor-limit", share <= limit * 1.5, detail, _CGROUPS)
    if throttled == 0 and share < limit:
        detail += "; the machine is too busy to see the limit at work"
        return Check(
            "processor-limit", Status.UNKNOWN, detail, "run `mixpeek doctor` again when less else is running"
        )
    return _verdict("processor-limit", throttled > 0, f"{detail}, held back {throttled} times", _CGROUPS)


def _memory(ended: Ended) -> Check:
    limit = _size(MEMORY_POLICY.memory)
    if ended.exit_code == 0 or not (ended.out_of_memory or ended.exit_code == _KILLED):
        detail = f"a process beyond {limit} ended with {ended.exit_code}, OOMKilled {ended.out_of_memory}"
        return Check("memory-limit", Status.ERROR, detail, _CGROUPS)
    if not ended.out_of_memory:
        # podman 4.3 with runc on cgroup v1: the kernel kills, the engine does not learn why.
        detail = f"a process beyond {limit} was killed, but the engine does not say OOMKilled"
        return Check("memory-limit", Status.WARNING, detail, "expect 'killed' where a plugin ran out of memory")
    return ok("memory-limit", f"a process beyond {limit} was killed and the engine says OOMKilled")


def _object(report: dict[str, Any], name: str) -> dict[str, Any]:
    value = report.get(name)
    return value if isinstance(value, dict) else {}


def _field(report: dict[str, Any], probe_name: str, name: str) -> str:
    return str(_object(report, probe_name).get(name, ""))


def _size(count: object) -> str:
    return f"{count / _MEBIBYTE:g} MiB" if isinstance(count, int) else str(count)
