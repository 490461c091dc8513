"""Builds the plugin's steps once and runs them over one table after another until the host has no more."""

from __future__ import annotations

import gc
import io
import json
import mmap
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.guest.stages import StageContext
from sandbox.guest.stages.describe import build, load
from sandbox.guest.stages.loading import Problems, describe
from sandbox.protocol import Message

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.executors.local import ExecutionResult, LocalExecutor

_REQUEST_LIMIT = 1 << 16
_TEXT = 500


def run(context: StageContext) -> tuple[dict[str, Any], bytes]:
    """How many batches were run, or the problems that prevented the first."""
    problems = Problems(context.root)
    body: dict[str, Any] = {"problems": problems.items, "batches": 0}
    context.emit("importing pipeline.py")
    pipeline = load(context, "pipeline", problems)
    built = build(context, pipeline, problems) if pipeline is not None else None
    if built is None:
        return body, b""
    from engine.executors.local import LocalExecutor

    options = context.batches
    executor = LocalExecutor(backend=options["backend"], on_row_error=options["on_row_error"])
    memory = _Memory(context)
    context.send(Message("ready", {"shared": memory.shared}))
    requests = socket.socket(fileno=context.batch_fds[0])
    while True:
        data, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_LIMIT, 1)
        request = json.loads(data) if data else {"type": "end"}
        if request["type"] == "end":
            return body, b""
        batch = _Batch(context, executor, built, memory)
        context.send(batch.answer(request, descriptors))
        body["batches"] += 1


@dataclass(frozen=True)
class _Batch:
    context: StageContext
    executor: LocalExecutor
    built: dict[str, Any]
    memory: _Memory

    def answer(self, request: dict[str, Any], descriptors: list[int]) -> Message:
        """Run one batch; the table that came out, or the problem."""
        slot = request["slot"]
        view = self.memory.incoming(slot, request["length"]) if slot is not None else _mapped(descriptors[0])
        message = self._run(request["number"], slot, view, copied=slot is None or request["copy"])
        return Message(message.type, {**message.body, "kept": not _released(view)}, message.blob)

    def _run(self, number: int, slot: int | None, view: memoryview, *, copied: bool) -> Message:
        problems = Problems(self.context.root)
        started = time.perf_counter()
        result = problems.attempt("batches.step", lambda: self._execute(view, copied=copied))
        body: dict[str, Any] = {"number": number, "slot": None, "length": 0, "problems": problems.items}
        body["set_aside"] = []
        blob = b""
        if result is not None:
            body["set_aside"] = [
                {"row": row.row, "step": row.step, "message": describe(row.error)[:_TEXT]}
                for row in result.set_aside
            ]
            length = self.memory.write(slot, result.table)
            if length is None:
                blob = _arrow(result.table)
            else:
                body |= {"slot": slot, "length": length}
        body["seconds"] = time.perf_counter() - started
        return Message("batch", body, blob)

    def _execute(self, view: memoryview, *, copied: bool) -> ExecutionResult:
        import pyarrow as pa

        source = pa.py_buffer(bytes(view) if copied else view)
        with pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
        return self.executor.run(self.built["steps"], table, prepare=self.built.get("prepare"))


class _Memory:
    """The two files that the host shares, where it does: mapped once for the whole session."""

    def __init__(self, context: StageContext) -> None:
        self.shared = len(context.batch_fds) == 3
        self._bytes = context.slot_bytes
        if self.shared:
            _, incoming, outgoing = context.batch_fds
            self._incoming = mmap.mmap(incoming, 0, prot=mmap.PROT_READ)
            self._outgoing = mmap.mmap(outgoing, 0)

    def incoming(self, slot: int, length: int) -> memoryview:
        """What the host put into a slot."""
        start = slot * self._bytes
        return memoryview(self._incoming)[start : start + length]

    def write(self, slot: int | None, table: pa.Table) -> int | None:
        """Put a table into the slot of its request; its length, ``None`` where that is too small or missing."""
        if slot is None:
            return None
        import pyarrow as pa

        view = memoryview(self._outgoing)[slot * self._bytes : (slot + 1) * self._bytes]
        with pa.FixedSizeBufferWriter(pa.py_buffer(view)) as sink:
            try:
                with pa.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_table(table)
            except OSError:  # "write out of bounds"
                return None
            return int(sink.tell())


def _mapped(descriptor: int) -> memoryview:
    """A batch that came through the attached stream: process 1 sealed it into a file."""
    try:
        return memoryview(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ))
    finally:
        os.close(descriptor)


def _released(view: memoryview) -> bool:
    """Whether nothing of the plugin looks into the batch any more, so that the host may write the next one there.

    A processor may keep columns of a batch; Arrow and pandas hand them out without copying where they can.
    """
    for collect in (False, True):
        if collect:
            gc.collect()
        try:
            view.release()
        except BufferError:
            continue
        return True
    return False


def _arrow(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
