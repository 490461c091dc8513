"""Finds the engine to speak to: the cascade."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolchain.core.containers.advice import install_remedy
from toolchain.core.containers.contexts import Endpoint, current_context, from_variables
from toolchain.core.containers.dial import open_engine, open_socket, unanswered
from toolchain.core.containers.model import ContainerEngine, EngineKind
from toolchain.core.containers.options import ConnectOptions, home_dir, options_from_environment, runtime_dir
from toolchain.core.containers.paths import private_paths
from toolchain.core.containers.private import ping_private, start_private
from toolchain.core.containers.probe import State, ping_socket
from toolchain.core.containers.programs import Program, program_for
from toolchain.core.errors import EngineUnavailable, ProcessFailed
from toolchain.core.reporter import Reporter, SilentReporter


@dataclass
class _Search:
    """One run of the cascade; ``passed_over`` collects why a rule that might have served did not."""

    options: ConnectOptions
    reporter: Reporter
    passed_over: list[str] = field(default_factory=list)
    denied: bool = False


_Rule = Callable[[_Search], ContainerEngine | None]


def connect(options: ConnectOptions | None = None, reporter: Reporter | None = None) -> ContainerEngine:
    """The first engine of the cascade that answers.

    The order: the ``host`` of the options, ``DOCKER_HOST``, the current docker context, the default socket, a
    podman socket, an engine that an earlier call started, and at last, when allowed, a private ``dockerd`` or
    ``podman system service`` started now. ``preferred`` moves every rule of that kind before the other's. Whoever
    was chosen by name must answer; a socket that nobody listens on is passed over. ``None`` options stand for this
    process's environment.

    Raises ``EngineUnavailable`` when a chosen engine does not answer, when a socket accepts and stays silent, or
    when no rule finds an engine (the remedy is then the line that installs one here); ``SettingsFault`` when an
    address, a context or its TLS files make no sense.
    """
    search = _Search(options or options_from_environment(), reporter or SilentReporter())
    engine = _find(search)
    if engine is None:
        raise _none_found(search)
    return engine


def connect_running(options: ConnectOptions | None = None) -> ContainerEngine | None:
    """The engine that ``connect`` would take, if it runs already; ``None`` where it would have to be started.

    Raises ``EngineUnavailable`` where one is there that does not answer us, and ``SettingsFault``.
    """
    search = _Search(replace(options or options_from_environment(), may_start=False), SilentReporter())
    engine = _find(search)
    if engine is None and search.denied:
        raise _none_found(search)
    return engine


def _find(search: _Search) -> ContainerEngine | None:
    chosen = _chosen(search.options)
    if chosen is not None:
        return open_engine(*chosen, search.options)
    for rule in _rules(search.options.preferred):
        engine = rule(search)
        if engine is not None:
            return replace(engine, notes=(*search.passed_over, *engine.notes))
    return None


def _chosen(options: ConnectOptions) -> tuple[Endpoint, str] | None:
    """The engine that the user named, and the name of the place where."""
    if options.host:
        return from_variables(options.host, options.environment), "the engine setting"
    if host := options.environment.get("DOCKER_HOST", "").strip():
        return from_variables(host, options.environment), "DOCKER_HOST"
    context = current_context(options.environment)
    if context is None:
        return None
    name, endpoint = context
    return endpoint, f"docker context {name}"


def _rules(preferred: EngineKind | None) -> list[_Rule]:
    rules: list[tuple[EngineKind, _Rule]] = [
        ("docker", lambda search: _existing("docker", search)),
        ("podman", lambda search: _existing("podman", search)),
        ("docker", lambda search: _running("docker", search)),
        ("podman", lambda search: _running("podman", search)),
        ("docker", lambda search: _started("docker", search)),
        ("podman", lambda search: _started("podman", search)),
    ]
    # sorted() is stable: within a kind the order stays.
    return [rule for _, rule in sorted(rules, key=lambda pair: preferred is not None and pair[0] != preferred)]


def _existing(kind: EngineKind, search: _Search) -> ContainerEngine | None:
    """An engine of the system's or the user's, on a socket at its usual place."""
    found = "default socket" if kind == "docker" else "podman socket"
    for path in _usual_sockets(kind, search.options):
        ping = ping_socket(path, search.options.ping_seconds)
        if ping.state is State.ANSWERS:
            return open_socket(path, ping.api_version, found, search.options)
        if ping.state is State.DENIED:
            search.denied = True
            search.passed_over.append(f"{path}: permission denied (its group, usually docker, may use it)")
        elif ping.state is not State.ABSENT:
            # Somebody is there. Starting a second engine beside one that hangs would hide the fault.
            raise unanswered(f"unix://{path}", found, ping.state, ping.detail)
    return None


def _usual_sockets(kind: EngineKind, options: ConnectOptions) -> Iterator[Path]:
    if kind == "docker":
        yield options.docker_socket
        yield home_dir(options.environment) / ".docker/run/docker.sock"  # Docker Desktop without its system link
        return
    yield options.podman_socket
    runtime = runtime_dir(options.environment)
    if runtime is not None:
        yield runtime / "podman/podman.sock"


def _running(kind: EngineKind, search: _Search) -> ContainerEngine | None:
    """An engine that an earlier mixpeek started."""
    ping = ping_private(kind, search.options)
    if ping.state is not State.ANSWERS:
        return None  # a hung one is told apart by start_private, or by `mixpeek engine status`
    path = private_paths(kind, search.options).socket
    return open_socket(path, ping.api_version, f"private {_title(kind)} (running)", search.options)


def _started(kind: EngineKind, search: _Search) -> ContainerEngine | None:
    program = program_for(kind, search.options.environment)
    if program is None:
        return None
    if not search.options.may_start:
        search.passed_over.append(f"{program.name} is installed but was not started")
        return None
    try:
        return _start(program, search)
    except (EngineUnavailable, ProcessFailed) as failure:
        search.passed_over.append(failure.message)
        return None


def _start(program: Program, search: _Search) -> ContainerEngine:
    with search.reporter.phase("start engine") as phase:
        ping, now = start_private(program, search.options)
        found = f"private {_title(program.kind)} ({'started' if now else 'running'})"
        phase.result = found
    path = private_paths(program.kind, search.options).socket
    engine = open_socket(path, ping.api_version, found, search.options)
    return replace(engine, started=now, notes=(program.note,) if program.note and now else ())


def _title(kind: EngineKind) -> str:
    return "dockerd" if kind == "docker" else "podman service"


def _none_found(search: _Search) -> EngineUnavailable:
    remedy = install_remedy()
    if search.denied:
        remedy = f"join the socket's group (`sudo usermod -aG docker $USER`, then log in again); or {remedy}"
    elif not search.options.may_start and search.passed_over:
        remedy = "run `mixpeek doctor --fix`, which starts the installed engine"
    elif search.passed_over:
        remedy = "remove the reason above, or start an engine yourself and set DOCKER_HOST to its address"
    reasons = "".join(f"\n    {line}" for line in search.passed_over)
    return EngineUnavailable(f"no container engine answers on this machine{reasons}", remedy=remedy)
