"""A container's life: created, started, given one job, judged, removed."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING

from sandbox.confinement import describe, disagreements
from sandbox.conversation import Greeting, Job, Listener
from sandbox.dialect import dialect_for
from sandbox.exchange import Exchange
from sandbox.launch import container_request
from sandbox.leftovers import ownership
from sandbox.outcome import EngineFacts, SandboxOutcome, classify
from sandbox.policy import Policy
from sandbox.protocol import Message, encode, printable
from sandbox.stream import AttachedStream
from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import EngineRefused, EngineUnavailable, MixpeekError, ProtocolViolation
from toolchain.core.image_layout import DEPENDENCIES, PYTHON, RUNTIME

if TYPE_CHECKING:
    from typing_extensions import Self

_GUEST = f"{RUNTIME}/sandbox/guest/__main__.py"
_COMMAND = (PYTHON, "-I", "-S", "-B", _GUEST, "container")
_DIAGNOSTICS = 16 << 10
_LEAVING_SECONDS = 10


def guest_command(policy: Policy) -> tuple[str, ...]:
    """The guest's command line: its role, the inner filter or ``-``, and the folders of packages."""
    return (*_COMMAND, policy.inner.to_argument() if policy.inner else "-", DEPENDENCIES)


class Session:
    """A hardened container for exactly one job.

    Use as a context manager: entering creates and starts the container, leaving removes it on every path, also
    when entering fails. ``run`` may be called once. `sandbox.prestart` enters it while the caller does something
    else; ``exchange`` is memory that is shared with the guest for `sandbox.batches`.
    """

    def __init__(
        self, engine: ContainerEngine, image: str, policy: Policy, exchange: Exchange | None = None
    ) -> None:
        self._engine = engine
        self._image = image
        self._policy = policy
        self._exchange = exchange
        # Known before the container exists, so that an interrupted call to create it leaves nothing unnamed.
        self._container = f"mixpeek-sandbox-{secrets.token_hex(6)}"
        self._stream: AttachedStream | None = None
        self._began = 0.0
        self._greeting = Greeting()
        self._diagnostics = ""
        self._removal: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start the container. Raises ``EngineUnavailable`` or ``EngineRefused``."""
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the container, or see the removal through that the end of the job began."""
        if self._removal is not None:
            self._removal.join()
        else:
            self._remove()

    def wait_ready(self, timeout: float) -> bool:
        """Wait, at most ``timeout`` seconds, until the guest is confined and waits for its job.

        Returns whether it has also imported what jobs need: from then on a job is answered at once. False where
        that failed or the guest is gone, of which ``run`` tells the rest. May be called any number of times, or
        not at all. Raises ``TimeoutError`` and ``ProtocolViolation``.
        """
        greeting = self._greeting
        if greeting.warm is None:
            self._hear(greeting.feed, time.monotonic() + timeout, lambda: greeting.warm is not None)
        return greeting.warm is True

    def run(self, job: Job, started: Callable[[str], None] = lambda _stage: None) -> SandboxOutcome:
        """Hand the job over and listen until the guest is done, dead or late.

        ``started`` hears the name of each stage as it begins. The container's removal begins with the return, in a
        thread of its own: leaving the session waits for it. Raises ``EngineUnavailable`` when the engine goes
        away; everything that the plugin may do ends in an outcome.
        """
        listener = Listener(self._policy, job, started)
        deadline = self._began + self._policy.wall_seconds
        timed_out, violation = False, None
        try:
            self.wait_ready(deadline - time.monotonic())
            self.send(job.message(self._policy), deadline)
            self.listen(listener, deadline, lambda: listener.transcript.done)
        except TimeoutError:
            timed_out = True
        except ProtocolViolation as reason:
            violation = reason.message
        return self.conclude(listener, timed_out=timed_out, violation=violation)

    def send(self, message: Message, deadline: float) -> None:
        """Tell the guest something; ``deadline`` is on the monotonic clock. Raises ``TimeoutError``."""
        assert self._stream is not None
        self._stream.send(encode(message), deadline)

    def listen(self, listener: Listener, deadline: float, enough: Callable[[], bool]) -> None:
        """Feed ``listener`` until ``enough`` says so or the guest's stream ends.

        ``deadline`` is on the monotonic clock. Raises ``TimeoutError`` and ``ProtocolViolation``.
        """
        self._hear(listener.feed, deadline, enough)

    def conclude(self, listener: Listener, *, timed_out: bool, violation: str | None) -> SandboxOutcome:
        """Let the container end, or end it, and say how the job went, in the engine's words first.

        Raises ``EngineUnavailable``.
        """
        listener.transcript.diagnostics = self._diagnostics
        facts = self._facts(timed_out=timed_out, kill=timed_out or violation is not None)
        self._removal = threading.Thread(target=self._remove, name="remove the sandbox")
        self._removal.start()
        ending, reason = classify(listener.transcript, facts, violation)
        return SandboxOutcome(ending, reason, listener.transcript, facts)

    def _start(self) -> None:
        api = self._engine.client.api
        request = container_request(
            self._policy,
            image=self._image,
            command=guest_command(self._policy),
            labels=ownership(),
            dialect=dialect_for(self._engine, self._policy),
        )
        if self._exchange is not None:
            request["HostConfig"]["Mounts"] = [self._exchange.mount]
        with engine_errors("create the sandbox container"):
            api.create_container_from_config(request, name=self._container)  # type: ignore[no-untyped-call]
            details = api.inspect_container(self._container)
        if differing := disagreements(request, details):
            raise EngineRefused(
                f"the engine did not apply what confines the sandbox: {', '.join(differing)}",
                remedy="run `mixpeek doctor`; nothing of the plugin was started",
            )
        self._stream = AttachedStream(self._engine, self._container)
        self._began = time.monotonic()
        with engine_errors("start the sandbox container"):
            api.start(self._container)

    def _hear(self, feed: Callable[[bytes], None], deadline: float, enough: Callable[[], bool]) -> None:
        """As ``listen``, whoever takes what the guest says."""
        assert self._stream is not None
        for is_stdout, data in self._stream.chunks(deadline):
            if is_stdout:
                feed(data)
            else:
                heard = self._diagnostics + printable(data.decode(errors="replace"))
                self._diagnostics = heard[-_DIAGNOSTICS:]
            if enough():
                return

    def _facts(self, *, timed_out: bool, kill: bool) -> EngineFacts:
        """Let the container end, or end it, and take the engine's word on how it did."""
        if kill:
            self._kill()
        if not self._has_ended():
            timed_out = True
            self._kill()
            with engine_errors("wait for the container"):
                self._engine.client.api.wait(self._container, timeout=_LEAVING_SECONDS)
        with engine_errors("ask how the container ended"):
            details = self._engine.client.api.inspect_container(self._container)
        state = details["State"]
        ended = state.get("Status") in {"exited", "dead", "stopped"}
        return EngineFacts(
            engine=f"{self._engine.kind} {self._engine.version}",
            image_id=details["Image"],
            exit_code=int(state["ExitCode"]) if ended else None,
            out_of_memory=bool(state.get("OOMKilled")),
            timed_out=timed_out,
            seconds=time.monotonic() - self._began,
            confinement=describe(details, self._policy),
        )

    def _kill(self) -> None:
        # With a stalled reader an engine's kill waits for the output to be taken: hang up first.
        if self._stream is not None:
            self._stream.close()
        with suppress(EngineRefused), engine_errors("kill the container"):
            self._engine.client.api.kill(self._container)  # refused when it has just ended by itself

    def _has_ended(self) -> bool:
        """Whether the container leaves within its time; whoever asks next learns of an engine that is silent."""
        try:
            with engine_errors("wait for the container"):
                self._engine.client.api.wait(self._container, timeout=_LEAVING_SECONDS)
        except EngineUnavailable:
            return False
        return True

    def _remove(self) -> None:
        if self._stream is not None:
            self._stream.close()
        # An engine that died cannot be asked, and the next run finds the container by its labels; one that did not
        # come to create it has nothing to remove.
        with suppress(MixpeekError), engine_errors("remove the container"):
            self._engine.client.api.remove_container(self._container, force=True, v=True)
