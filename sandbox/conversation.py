"""The host's side of a job: hands it over, takes what the guest says as untrusted input, keeps the deadline.

Works over any pair of functions that move bytes, so that a container and a child process are spoken to alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sandbox.policy import Policy
from sandbox.protocol import STAGES, Decoder, Message, ProtocolError
from sandbox.seal import Sealer, new_key
from toolchain.core.errors import ProtocolViolation


@dataclass(frozen=True)
class Sample:
    """Sample rows as bytes in a file format: ``json``, ``ndjson``, ``csv`` or ``parquet``."""

    name: str
    format: str
    data: bytes


@dataclass(frozen=True)
class Job:
    """What the guest is asked to do.

    ``root`` is the plugin's folder where the guest runs; ``pytest`` the folders that hold pytest there, none
    where the guest's interpreter has it. ``batches`` are the options of the stage of that name, ``slot_bytes`` the
    size of the slots of memory that the host shares for it, 0 without any. ``key`` seals what process 1 says.
    """

    name: str
    root: str
    stages: tuple[str, ...] = STAGES
    pytest: tuple[str, ...] = ()
    sample: Sample | None = None
    batches: Mapping[str, Any] = field(default_factory=dict)
    slot_bytes: int = 0
    seed: str = field(default_factory=lambda: secrets.token_hex(16))
    key: str = field(default_factory=new_key, repr=False)

    def message(self, policy: Policy) -> Message:
        """The job as it travels."""
        sample = {"name": self.sample.name, "format": self.sample.format} if self.sample else None
        body = {
            "plugin": {"name": self.name, "root": self.root},
            "stages": list(self.stages),
            "pytest": list(self.pytest),
            "sample": sample,
            "seed": self.seed,
            "key": self.key,
            "batches": dict(self.batches),
            "slot_bytes": self.slot_bytes,
            "limits": {
                "stage_seconds": policy.stage_seconds,
                "clearing_seconds": policy.clearing_seconds,
                "output_bytes": policy.output,
                "result_bytes": policy.result,
            },
        }
        return Message("job", body, self.sample.data if self.sample else b"")


@dataclass(frozen=True)
class StageReport:
    """What the guest's supervisor says of one stage.

    ``ended`` is ``exited``, ``deadline``, ``output-limit``, ``violation`` or ``lost: …``; ``status`` the exit
    status, negative for a signal, ``None`` when it was not seen. ``result`` and ``blob`` come from the plugin's
    own process and are claims. ``progress`` is the last thing the stage said it was doing. ``tried`` is what the
    supervisor wrote down of the plugin's doings.
    """

    stage: str
    ended: str
    status: int | None
    seconds: float
    peak_memory_bytes: int | None
    output: str
    output_bytes: int
    progress: str | None
    violation: str | None
    result: dict[str, Any] | None
    blob: bytes
    tried: dict[str, Any] = field(default_factory=dict)


@dataclass
class Transcript:
    """Everything heard in one conversation."""

    started: list[str] = field(default_factory=list)
    stages: dict[str, StageReport] = field(default_factory=dict)
    done: bool = False
    diagnostics: str = ""


class Greeting:
    """Takes the one thing that a guest in a container says before it has a job: that it waits for one.

    ``warm`` is whether its worker has imported what jobs need, ``None`` before it is heard. ``feed`` raises
    ``ProtocolViolation``.
    """

    def __init__(self) -> None:
        self._decoder = Decoder(blob_limit=0)
        self.warm: bool | None = None

    def feed(self, chunk: bytes) -> None:
        """Take what came in."""
        with _believing_nothing():
            for message in self._decoder.feed(chunk):
                if message.type != "waiting" or self.warm is not None:
                    raise ProtocolError("a message before there was a job")
                self.warm = message.body["warm"] is True
            if self.warm is not None and self._decoder.pending:
                raise ProtocolError("a message before there was a job")


class Listener:
    """Turns chunks from the guest that has ``job`` into a transcript. ``feed`` raises ``ProtocolViolation``."""

    def __init__(self, policy: Policy, job: Job, started: Callable[[str], None]) -> None:
        self._decoder = Decoder(policy.result, Sealer(job.key))
        self._expected = list(job.stages)
        self._started = started
        self.transcript = Transcript()

    def feed(self, chunk: bytes) -> None:
        """Take what came in."""
        with _believing_nothing():
            for message in self._decoder.feed(chunk):
                self._take(message)

    def _take(self, message: Message) -> None:
        if self.transcript.done:
            raise ProtocolError("a message after the end")
        started, reported = self.transcript.started, self.transcript.stages
        if message.type == "done":
            if list(reported) != self._expected:
                raise ProtocolError("an end before every stage was reported")
            self.transcript.done = True
        elif message.type == "started":
            if (
                len(started) != len(reported)
                or [*started, message.body["stage"]] != self._expected[: len(started) + 1]
            ):
                raise ProtocolError("a stage that is not next")
            started.append(message.body["stage"])
            self._started(started[-1])
        elif message.type == "stage":
            report = _stage_report(message)
            if [*reported, report.stage] != started:
                raise ProtocolError("a report of a stage that is not under way")
            reported[report.stage] = report
        else:
            self._take_other(message)

    def _take_other(self, message: Message) -> None:
        """Take a message that only some jobs have. Raises as ``feed`` does."""
        raise ProtocolError(f"a message of unknown type {message.type[:40]!r}")


@contextmanager
def _believing_nothing() -> Iterator[None]:
    """Whatever is wrong with what a guest says becomes a ``ProtocolViolation``."""
    try:
        yield
    except (ProtocolError, ValueError, KeyError, TypeError) as reason:
        raise ProtocolViolation(
            f"the guest broke the protocol: {reason}",
            remedy="the plugin interfered with the process that tests it; remove that code",
        ) from None


def _stage_report(message: Message) -> StageReport:
    body = message.body
    return StageReport(
        stage=checked(body["stage"], str),
        ended=checked(body["ended"], str)[:200],
        status=optional(body["status"], int),
        seconds=float(checked(body["seconds"], (int, float))),
        peak_memory_bytes=optional(body["peak_memory_bytes"], int),
        output=checked(body["output"], str),
        output_bytes=checked(body["output_bytes"], int),
        progress=optional(body["progress"], str),
        violation=optional(body["violation"], str),
        result=optional(body["result"], dict),
        blob=message.blob,
        tried=checked(body["tried"], dict),
    )


def checked(value: Any, kind: type | tuple[type, ...]) -> Any:
    """``value``, which must be of ``kind`` and no truth value for a number. Raises ``TypeError``."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"a field is a {type(value).__name__}")
    return value


def optional(value: Any, kind: type) -> Any:
    """As ``checked``, or ``None``."""
    return None if value is None else checked(value, kind)
