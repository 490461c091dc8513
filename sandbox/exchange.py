"""Memory that host and guest share on one machine, sealed so that neither can pull it away from under the other.

Two anonymous files (memfd_create(2)), each a row of equal slots: the host writes the incoming one, the guest the
outgoing one. Their size is sealed, so a guest can neither truncate what the host reads, which would end the host
with SIGBUS, nor make it grow; the incoming file is sealed against any writing but the host's own. There is no path
to them: a guest gets the descriptors over a socket in a folder that is mounted read-only into its container, from
exactly one connection, made before any code of others runs there. So there is nothing it could put a link, a pipe
or a device in place of. Nor can they be executed, where the kernel knows that seal (Linux 6.3). What the guest
writes is charged to its own cgroup.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from toolchain.core.containers import ContainerEngine

if TYPE_CHECKING:
    import pyarrow as pa
    from typing_extensions import Self

TARGET: Final = "/opt/mixpeek/exchange"
SOCKET: Final = "socket"
SLOTS: Final = 4
SLOT_BYTES: Final = 64 << 20

_HANDING_SECONDS: Final = 5.0  # the guest connects as soon as it has read its job
# linux/memfd.h and linux/fcntl.h; Python knows them only from 3.13 or not at all.
_NOT_EXECUTABLE: Final = 0x0008
_NO_NEW_WRITERS: Final = 0x0010


def can_share(engine: ContainerEngine) -> bool:
    """Whether a container of ``engine`` runs on this kernel, so that it can map what we map."""
    return engine.local and sys.platform == "linux" and hasattr(os, "memfd_create")


class Exchange:
    """Shared memory for one session: ``SLOTS`` slots of ``slot_bytes`` each way; memory is taken as it is used.

    Use as a context manager around the session.
    """

    def __init__(self, slot_bytes: int = SLOT_BYTES) -> None:
        self.slot_bytes = -(-slot_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Make the two files, and the folder with the socket. Raises ``OSError`` where that cannot be done."""
        with ExitStack() as stack:
            seals = fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
            size = SLOTS * self.slot_bytes
            self._descriptors = [self._file(stack, size), self._file(stack, size)]
            self._incoming = stack.enter_context(mmap.mmap(self._descriptors[0], size))
            self._outgoing = stack.enter_context(mmap.mmap(self._descriptors[1], size, prot=mmap.PROT_READ))
            for descriptor, more in zip(self._descriptors, (_NO_NEW_WRITERS, 0), strict=True):
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals | more | fcntl.F_SEAL_SEAL)
            self._meeting = stack.enter_context(ExitStack())
            self._listen()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Unmap and close everything."""
        self._stack.close()

    @property
    def mount(self) -> dict[str, Any]:
        """The folder with the socket as the engine's API wants a mount."""
        return {"Type": "bind", "Source": str(self._folder), "Target": TARGET, "ReadOnly": True}

    def hand_over(self) -> bool:
        """Give both files to the first who connects, and let nobody connect after that; whether somebody came."""
        with self._meeting, suppress(OSError):
            self._listener.settimeout(_HANDING_SECONDS)
            guest, _ = self._listener.accept()
            with guest:
                guest.settimeout(_HANDING_SECONDS)
                socket.send_fds(guest, [b"exchange"], self._descriptors)
                return True
        return False

    def write(self, slot: int, table: pa.Table) -> int | None:
        """Put ``table`` into a slot as an Arrow IPC stream; its length in bytes, ``None`` if it does not fit."""
        import pyarrow as pa

        view = memoryview(self._incoming)[slot * self.slot_bytes : (slot + 1) * self.slot_bytes]
        with pa.FixedSizeBufferWriter(pa.py_buffer(view)) as sink:
            try:
                with pa.ipc.new_stream(sink, table.schema) as writer:
                    writer.write_table(table)
            except OSError:  # "write out of bounds"
                return None
            return int(sink.tell())

    def read(self, slot: int, length: int) -> pa.Buffer:
        """A private copy of the first ``length`` bytes of a slot: the guest may be writing to it this very moment.

        Raises ``ValueError`` for what lies outside the slot.
        """
        import numpy as np
        import pyarrow as pa

        if not (0 <= slot < SLOTS and 0 <= length <= self.slot_bytes):
            raise ValueError(f"{length} bytes in slot {slot} are outside the shared memory")
        copy = pa.allocate_buffer(length)
        source = np.frombuffer(self._outgoing, np.uint8, length, slot * self.slot_bytes)
        np.copyto(np.frombuffer(copy, np.uint8), source)
        return copy

    @staticmethod
    def _file(stack: ExitStack, size: int) -> int:
        try:
            descriptor = os.memfd_create("exchange", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | _NOT_EXECUTABLE)
        except OSError:
            descriptor = os.memfd_create("exchange", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        stack.callback(os.close, descriptor)
        os.ftruncate(descriptor, size)
        return descriptor

    def _listen(self) -> None:
        """A socket for the guest, whatever its user, in a folder that of this machine only we can enter."""
        private = Path(self._meeting.enter_context(tempfile.TemporaryDirectory(prefix="mixpeek-")))
        self._folder = private / "exchange"
        self._folder.mkdir()
        self._folder.chmod(0o711)
        self._listener = self._meeting.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            # A socket's path has at most 107 characters, which temporary folders come close to.
            self._listener.bind(f"/proc/self/fd/{folder}/{SOCKET}")
        finally:
            os.close(folder)
        (self._folder / SOCKET).chmod(0o666)
        self._listener.listen(1)
