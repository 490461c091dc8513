"""Runs a plugin's steps over any number of tables in one confined container: the data path for batch work.

On an engine of this machine a table goes into shared memory and comes back through it (`sandbox.exchange`): two
copies by the host, one by the guest. On a remote engine both ways go through the attached stream. While the guest
works on one batch the host reads the one before it and writes the one after it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from sandbox.arrow import TableRefused, read_untrusted_table
from sandbox.conversation import Job, Listener, checked, optional
from sandbox.exchange import SLOT_BYTES, SLOTS, Exchange, can_share
from sandbox.outcome import SandboxOutcome
from sandbox.policy import Policy
from sandbox.protocol import Message, ProtocolError
from sandbox.session import Session
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import PluginFault, ProtocolViolation

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Self

STAGE: Final = "batches"
# Enough that the guest need not wait for the host. As many slots again may be lost to a plugin that keeps batches.
_UNDER_WAY: Final = 2
_MESSAGE: Final = 500
# Beside the inner deadline: a worker's imports on a cold disk, and the end of what the plugin left running.
_AROUND_A_BATCH: Final = 100.0


@dataclass(frozen=True)
class BatchJob:
    """Which plugin to run, and how.

    ``root`` is its folder in the image; ``parameters`` are what ``build_steps`` gets. ``backend`` and
    ``on_row_error`` are as in `engine.executors.local.LocalExecutor`. ``slot_bytes`` is the size of the largest
    batch that goes through shared memory; a larger one takes the attached stream.
    """

    name: str
    root: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    backend: Literal["numpy", "arrow"] = "numpy"
    on_row_error: Literal["raise", "set_aside"] = "raise"
    slot_bytes: int = SLOT_BYTES


@dataclass(frozen=True)
class SetAside:
    """A row of a batch, 0-based, that made a step raise; its outputs are null. The plugin's claim."""

    row: int
    step: str
    message: str


@dataclass(frozen=True)
class BatchResult:
    """The table that came out of one batch, and the time in seconds that the guest says it took.

    The table is ours: copied from what the guest can reach, then validated in full. Its content is the plugin's.
    """

    table: pa.Table
    set_aside: tuple[SetAside, ...]
    seconds: float


class BatchFailed(PluginFault):
    """A batch did not come back. ``problem`` is what the guest noted, ``outcome`` how the container ended."""

    id = "batch"

    def __init__(
        self, message: str, *, problem: dict[str, Any] | None = None, outcome: SandboxOutcome | None = None
    ) -> None:
        super().__init__(message, remedy="correct the plugin, then run the batches again; the earlier ones stand")
        self.problem = problem
        self.outcome = outcome


class Batches:
    """A session that takes batch after batch until it is left; its container serves this one plugin.

    Use as a context manager. Each batch has the policy's ``stage_seconds``; there is no deadline for all together.
    The plugin's processors are constructed once, in the first batch, and see one batch after the other; what it
    prints is bounded for all together.
    """

    def __init__(self, engine: ContainerEngine, image: str, policy: Policy, job: BatchJob) -> None:
        self._exchange = Exchange(job.slot_bytes) if can_share(engine) else None
        self._session = Session(engine, image, policy, self._exchange)
        self._policy = policy
        self._work = self._described(job)
        self._listener = BatchListener(policy, self._work)
        self._stack = ExitStack()
        self._free: list[int] = []  # slots that the host may write
        self._under_way: deque[tuple[int, int | None]] = deque()  # numbers of batches and their slots
        self._numbers = 0
        self._copy = False
        self._shares = False
        self._outcome: SandboxOutcome | None = None

    def __enter__(self) -> Self:
        """Start the container and build the plugin's steps.

        Raises ``EngineUnavailable``, ``EngineRefused``, and ``BatchFailed`` where the plugin does not get so far.
        """
        with ExitStack() as stack:
            if self._exchange is not None:
                stack.enter_context(self._exchange)
            stack.enter_context(self._session)
            self._open()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the container, whatever it is doing."""
        self._stack.close()

    @property
    def shares_memory(self) -> bool:
        """Whether data goes through shared memory."""
        return self._shares

    def run(self, tables: Iterable[pa.Table]) -> Iterator[BatchResult]:
        """The plugin's steps over each of ``tables``, in their order: one result for one table.

        A table of n rows gives n rows back, unless the plugin's ``prepare``, which sees each table by itself,
        changes them. Up to three tables are taken ahead of the results. Raises ``BatchFailed`` for the first that
        does not come back, ``EngineUnavailable`` and what ``tables`` raises; after that the session is of no use.
        """
        for table in tables:
            while self._under_way and not self._free:
                yield self._next()
            message, slot = self._message(table)
            # A guest that is sent a blob while it sends one would wait for the host, and the host for it.
            while len(self._under_way) >= (_UNDER_WAY if slot is not None else 1):
                yield self._next()
            self._under_way.append((self._numbers, slot))
            self._say(message)
        while self._under_way:
            yield self._next()

    def finish(self) -> SandboxOutcome:
        """Tell the guest that there are no more batches and see how it ends. Raises ``EngineUnavailable``.

        Under the transcript's stage ``batches`` stands what the guest's supervisor says of the plugin's process.
        What the plugin tried, its ``tried``, is not judged here: whoever runs batches of a plugin that was not
        tested sets it against what that declares (``sandbox.trace.behaviour`` reads it).
        """
        if self._outcome is None:
            with suppress(BatchFailed):
                self._say(Message("end"))
                self._listen(lambda: self._listener.transcript.done)
        return self._conclude()

    def _described(self, job: BatchJob) -> Job:
        options = {
            "parameters": dict(job.parameters),
            "backend": job.backend,
            "on_row_error": job.on_row_error,
        }
        slot_bytes = self._exchange.slot_bytes if self._exchange is not None else 0
        return Job(job.name, job.root, (STAGE,), batches=options, slot_bytes=slot_bytes)

    def _open(self) -> None:
        self._await_guest()
        self._say(self._work.message(self._policy))
        handed = self._exchange is not None and self._exchange.hand_over()
        self._listen(lambda: self._listener.shared is not None)
        if self._listener.shared is None:
            self._fail()
        self._shares = handed and self._listener.shared
        self._free = list(range(SLOTS)) if self._shares else []

    def _await_guest(self) -> None:
        """Before the job: a guest that has it fetches the shared memory at once."""
        try:
            self._session.wait_ready(self._policy.stage_seconds + _AROUND_A_BATCH)
        except TimeoutError:
            self._fail(timed_out=True)
        except ProtocolViolation as violation:
            self._fail(violation.message)

    def _message(self, table: pa.Table) -> tuple[Message, int | None]:
        """The next batch as it travels, and the slot that it lies in."""
        self._numbers += 1
        slot = self._free.pop() if self._free else None
        length = None
        if slot is not None and self._exchange is not None:
            length = self._exchange.write(slot, table)
            if length is None:  # larger than a slot: it takes the stream
                self._free.append(slot)
                slot = None
        body = {"number": self._numbers, "slot": slot, "length": length, "copy": self._copy}
        return Message("batch", body, _stream(table) if slot is None else b""), slot

    def _next(self) -> BatchResult:
        """The result of the batch that was handed over first."""
        answers = self._listener.answers
        self._listen(lambda: bool(answers))
        if not answers:
            self._fail()
        answer = answers.popleft()
        number, slot = self._under_way.popleft()
        try:
            if answer.number != number or answer.slot not in (None, slot):
                raise TableRefused("it answers another batch")
            table = None if answer.problem else self._table(answer)
        except (TableRefused, ValueError) as reason:
            self._fail(f"the guest returned something that is no batch of ours: {reason}")
        if answer.problem is not None or table is None:
            problem = answer.problem or {}
            place = f"{problem['file']}:{problem.get('line')}: " if problem.get("file") else ""
            raise BatchFailed(f"batch {number}: {place}{problem.get('message')}"[:_MESSAGE], problem=problem)
        if slot is not None and answer.kept:
            self._copy = True  # the plugin looks into this slot: it is never written again, and others are copied
        elif slot is not None:
            self._free.append(slot)
        return BatchResult(table, answer.set_aside, answer.seconds)

    def _table(self, answer: _Answer) -> pa.Table:
        """The returned table. Raises ``TableRefused`` and ``ValueError``."""
        if answer.slot is None:
            return read_untrusted_table(answer.blob)
        assert self._exchange is not None
        return read_untrusted_table(self._exchange.read(answer.slot, answer.length))

    def _say(self, message: Message) -> None:
        """Tell the guest, or learn that it takes nothing any more."""
        try:
            self._session.send(message, self._deadline())
        except TimeoutError:
            self._fail(timed_out=True)

    def _listen(self, enough: Callable[[], bool]) -> None:
        """Hear the guest until ``enough``, or until it has nothing more to say."""
        if enough():
            return
        listener = self._listener
        try:
            self._session.listen(listener, self._deadline(), lambda: enough() or listener.transcript.done)
        except TimeoutError:
            self._fail(timed_out=True)
        except ProtocolViolation as violation:
            self._fail(violation.message)

    def _deadline(self) -> float:
        return time.monotonic() + self._policy.stage_seconds + _AROUND_A_BATCH

    def _fail(self, violation: str | None = None, *, timed_out: bool = False) -> NoReturn:
        """End the container where it has not ended by itself, and say why there is no answer."""
        outcome = self._conclude(violation=violation, timed_out=timed_out)
        report = outcome.transcript.stages.get(STAGE)
        problems = (report.result or {}).get("problems") if report is not None else None
        if isinstance(problems, list) and problems and isinstance(problems[0], dict):
            raise BatchFailed(str(problems[0].get("message"))[:_MESSAGE], problem=problems[0], outcome=outcome)
        ended = f"the plugin's process ended early ({report.ended}, status {report.status})" if report else ""
        raise BatchFailed(ended or outcome.reason, outcome=outcome)

    def _conclude(self, *, violation: str | None = None, timed_out: bool = False) -> SandboxOutcome:
        if self._outcome is None:
            self._outcome = self._session.conclude(self._listener, timed_out=timed_out, violation=violation)
        return self._outcome


@dataclass(frozen=True)
class _Answer:
    """What a guest says of one batch; nothing of it is believed before it was checked."""

    number: int
    slot: int | None
    length: int
    blob: bytes
    seconds: float
    kept: bool
    set_aside: tuple[SetAside, ...]
    problem: dict[str, Any] | None


class BatchListener(Listener):
    """Takes the messages of a stage that answers batch after batch.

    ``shared`` is whether it uses shared memory, ``None`` before it says so.
    """

    def __init__(self, policy: Policy, job: Job) -> None:
        super().__init__(policy, job, lambda _stage: None)
        self.shared: bool | None = None
        self.answers: deque[_Answer] = deque()

    def _take_other(self, message: Message) -> None:
        if not self.transcript.started or self.transcript.stages or len(self.answers) >= _UNDER_WAY:
            raise ProtocolError("a message of a stage that is not under way")
        if message.type == "ready" and self.shared is None:
            self.shared = message.body["shared"] is True
        elif message.type == "batch" and self.shared is not None:
            self.answers.append(_answer(message))
        else:
            super()._take_other(message)


def _answer(message: Message) -> _Answer:
    body = message.body
    problems = [checked(problem, dict) for problem in checked(body["problems"], list)]
    aside = [
        SetAside(checked(row["row"], int), checked(row["step"], str), checked(row["message"], str))
        for row in checked(body["set_aside"], list)
    ]
    return _Answer(
        number=checked(body["number"], int),
        slot=optional(body["slot"], int),
        length=checked(body["length"], int),
        blob=message.blob,
        seconds=float(checked(body["seconds"], (int, float))),
        kept=body["kept"] is True,
        set_aside=tuple(aside),
        problem=problems[0] if problems else None,
    )


def _stream(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data
