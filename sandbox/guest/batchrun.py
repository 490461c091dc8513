"""The stage that runs batch after batch: process 1 passes them on, both ways, and gives each its own deadline."""

from __future__ import annotations

import json
import math
import os
import socket
from typing import Any

from sandbox.guest import hardening
from sandbox.guest.hoststream import HostStream
from sandbox.guest.stagerun import StageRun
from sandbox.guest.workerlink import WorkerLink
from sandbox.protocol import Message, ProtocolError

STAGE = "batches"


class BatchRun(StageRun):
    """As any stage, but it goes on until the host says ``end``.

    Batches reach the stage over a socket that keeps messages whole: small JSON, and the data, where it did not
    come through shared memory, as a sealed file. The stage's deadline runs only while it owes an answer, and
    starts anew with each.
    """

    def __init__(self, link: WorkerLink, job: dict[str, Any], host: HostStream, exchange: tuple[int, ...]) -> None:
        nothing = hardening.sealed_file(b"")
        super().__init__(link, STAGE, job, nothing, host)
        self._batches, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._batches.setblocking(False)
        self._request |= {"batches": job["batches"], "slot_bytes": job["slot_bytes"] if exchange else 0}
        self._descriptors = [nothing, theirs.detach(), *exchange]
        self._owed = 0

    def run(self) -> Message:
        """Run the stage to its end. Raises ``HostGone``."""
        try:
            return super().run()
        finally:
            self._batches.close()
            for descriptor in self._descriptors:
                os.close(descriptor)

    def _hear_host(self, message: Message) -> None:
        descriptors = [hardening.sealed_file(message.blob)] if message.blob else []
        try:
            body = json.dumps({**message.body, "type": message.type}).encode()
            socket.send_fds(self._batches, [body], descriptors)
        except OSError as reason:
            # The host never has more under way than the socket holds: somebody else filled it, or closed it.
            self._got.violation = self._got.violation or f"the stage does not take its batches ({reason})"
            self._got.ended = self._got.ended or "violation"
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if self._owed == 0:
            self._restart_deadline()
        self._owed += 1  # also for "end", which is answered by ending

    def _accept(self, message: Message) -> None:
        if message.type not in {"ready", "batch"}:
            super()._accept(message)
            return
        self._check(message)
        if message.type == "batch":
            if self._owed < 1:
                raise ProtocolError("an answer that nobody asked for")
            self._owed -= 1
        self._host.write(message)
        if self._owed > 0:
            self._restart_deadline()
        else:
            self._deadline = math.inf
