"""What process 1 answers to each reported call, and what it writes down of it.

Two kinds are kept apart. A call that only the inner filter stands against is refused or pretended, never carried
out, whatever was read of its arguments. A call that the engine's profile allows anyway is written down and carried
out; for it a caller that changes its arguments behind our back fools the report, not the wall.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sandbox.guest.trace import kernel
from sandbox.guest.trace.kernel import Notification
from sandbox.guest.trace.ledger import LET_THROUGH, Ledger
from sandbox.guest.trace.memory import AT_FDCWD, UNREADABLE, Memory, address, question

_PR_SET_DUMPABLE = 4
_CWD = AT_FDCWD & 0xFFFFFFFF
_TYPES = 0xF
_LONG_SLEEP_SECONDS = 1.0
_TIMER_ABSTIME = 1
_NAMES = {1: "stream", 2: "datagram", 3: "raw"}
_STAND_INS = 256  # how many are remembered


class Answers:
    """Answers the calls of one worker and of whatever it starts.

    ``plan`` is the inner filter's description (``sandbox.trace.inner.InnerFilter.to_json``).
    """

    def __init__(self, plan: dict[str, Any], listener: int, worker: int, ledger: Ledger) -> None:
        self._names = {number: name for name, number in plan["numbers"][kernel.machine()].items()}
        self._refused = frozenset(plan["refused"])
        self._run_programs = plan["run_programs"]
        self._quiet = tuple(plan["quiet"])
        self._packages = tuple(plan["packages"])
        self._system_libraries = tuple(plan["system_libraries"])
        self._sensitive = re.compile(plan["sensitive"])
        self._listener = listener
        self._worker = worker
        self._ledger = ledger
        self._stand_ins: deque[str] = deque(maxlen=_STAND_INS)
        self._handlers: dict[str, Callable[[Notification, Memory], None]] = {
            "socket": self._socket,
            "connect": self._connect,
            "bind": self._bind,
            "sendto": self._send_to,
            "sendmsg": self._send_message,
            "sendmmsg": self._send_message,
            "setsockopt": self._set_option,
            "execve": self._execute,
            "clone": self._clone,
            "prctl": self._control,
            "open": self._open,
            "openat": self._open,
            "symlink": self._link,
            "symlinkat": self._link,
            "mmap": self._map,
            "mprotect": self._protect,
            "nanosleep": self._sleep,
            "clock_nanosleep": self._sleep,
            "memfd_create": self._memory_file,
            "kill": self._signal,
        }

    def give(self, call: Notification) -> None:
        """Answer one call. What has no answer of its own is refused."""
        name = self._names.get(call.number, "")
        handler = self._handlers.get(name)
        if name in self._refused or handler is None:
            self._ledger.note("denied-call", name or str(call.number), answer="refused", by=self._caller(call))
            kernel.refuse(self._listener, call, errno.EPERM)
            return
        with Memory(call.thread) as memory:
            handler(call, memory)

    # --- only the inner filter stands against these: never carried out ---

    def _socket(self, call: Notification, _memory: Memory) -> None:
        """Hand in a socket of AF_UNIX in place of an internet one, so that the address becomes known that the
        caller goes on to name; other families are refused."""
        family, kind = call.arguments[0] & 0xFFFFFFFF, call.arguments[1]
        is_internet = family in (socket.AF_INET, socket.AF_INET6)
        what = f"{_family(family)} {_NAMES.get(kind & _TYPES, 'other')}"
        if not is_internet or kind & _TYPES not in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            self._note(call, "socket", what, "refused")
            kernel.refuse(self._listener, call, errno.EPERM)
            return
        self._note(call, "socket", what, "a stand-in")
        with socket.socket(socket.AF_UNIX, kind & _TYPES) as stand_in:
            stand_in.setblocking(not kind & socket.SOCK_NONBLOCK)
            self._stand_ins.append(f"socket:[{os.fstat(stand_in.fileno()).st_ino}]")
            try:
                cloexec = bool(kind & socket.SOCK_CLOEXEC)
                number = kernel.hand_in(self._listener, call, stand_in.fileno(), close_on_exec=cloexec)
            except OSError as reason:
                kernel.refuse(self._listener, call, reason.errno or errno.EPERM)
                return
        kernel.pretend(self._listener, call, number)

    def _set_option(self, call: Notification, _memory: Memory) -> None:
        kernel.pretend(self._listener, call)

    def _clone(self, call: Notification, _memory: Memory) -> None:
        self._note(call, "denied-call", "clone into a namespace", "refused")
        kernel.refuse(self._listener, call, errno.EPERM)

    def _control(self, call: Notification, _memory: Memory) -> None:
        """The worker hides its memory from the stages; nobody else may, and nobody installs a filter."""
        if call.arguments[0] == _PR_SET_DUMPABLE and call.thread == self._worker:
            kernel.let_through(self._listener, call)
            return
        hides = call.arguments[0] == _PR_SET_DUMPABLE
        self._note(
            call, "denied-call", "prctl to hide its memory" if hides else "prctl to filter calls", "refused"
        )
        kernel.refuse(self._listener, call, errno.EPERM)

    def _connect(self, call: Notification, memory: Memory) -> None:
        data = memory.read(call.arguments[1], min(call.arguments[2], 128))
        if not data and call.arguments[2] and call.thread != self._worker:
            # A program that may be run and not read, from a memory file say, hides where it wants to go: no honest
            # one of an image does.
            self._note(call, "connect", UNREADABLE, "refused")
            kernel.refuse(self._listener, call, errno.ENETUNREACH)
            return
        found = address(data)
        if found is None or found[0] == "unix":
            # The caller holds no socket of another family, so nothing else can come of it.
            path = found[1] if found else "an unknown family"
            if not path.startswith(self._quiet) or self._sensitive.search(path):
                self._note(call, "unix-socket", path, LET_THROUGH)
            kernel.let_through(self._listener, call)
            return
        is_dns = found[2] == 53
        self._note(call, "dns" if is_dns else "connect", _place(found), "refused")
        if is_dns:  # the question, with the name, only follows
            kernel.pretend(self._listener, call)
        else:
            kernel.refuse(self._listener, call, errno.ENETUNREACH)

    def _bind(self, call: Notification, memory: Memory) -> None:
        found = address(memory.read(call.arguments[1], min(call.arguments[2], 128)))
        if found is None or found[0] == "unix":
            kernel.let_through(self._listener, call)
            return
        self._note(call, "listen", _place(found), "refused")
        kernel.refuse(self._listener, call, errno.EADDRNOTAVAIL)

    def _send_to(self, call: Notification, memory: Memory) -> None:
        self._send(call, memory, (call.arguments[4], call.arguments[5]), (call.arguments[1], call.arguments[2]))

    def _send_message(self, call: Notification, memory: Memory) -> None:
        """``struct msghdr`` begins with the address, its length, the list of pieces and their number."""
        header = memory.read(call.arguments[1], 32)
        if len(header) < 32:
            kernel.refuse(self._listener, call, errno.EFAULT)
            return
        target, length, pieces, count = struct.unpack("=QI4xQQ", header)
        piece = memory.read(pieces, 16) if count else b""
        payload = struct.unpack("=QQ", piece) if len(piece) == 16 else (0, 0)
        self._send(call, memory, (target, length), payload)

    def _send(self, call: Notification, memory: Memory, target: tuple[int, int], payload: tuple[int, int]) -> None:
        found = address(memory.read(target[0], min(target[1], 128))) if target[0] else None
        asked = question(memory.read(payload[0], min(payload[1], 512)))
        if found is not None and found[0] == "ip":
            is_dns = found[2] == 53
            self._note(call, "dns" if is_dns else "connect", (is_dns and asked) or _place(found), "refused")
            kernel.refuse(self._listener, call, errno.ENETUNREACH)
        elif asked and memory.link(f"fd/{call.arguments[0]}") in self._stand_ins:
            self._note(call, "dns", asked, "refused")
            kernel.refuse(self._listener, call, errno.ECONNREFUSED)
        else:
            kernel.let_through(self._listener, call)

    # --- the engine's profile allows these: written down and carried out ---

    def _execute(self, call: Notification, memory: Memory) -> None:
        path = memory.path(_CWD, call.arguments[0])
        if path.startswith("/proc/self/fd/"):
            path = memory.link(path.removeprefix("/proc/self/"))
        words = memory.words(call.arguments[1])
        answer = LET_THROUGH if self._run_programs else "refused"
        if answer == LET_THROUGH and not path.startswith("/memfd:") and not os.path.lexists(path):
            answer = "no such file"
        self._ledger.note("execute", path, answer=answer, arguments=words, by=self._caller(call))
        if self._run_programs:
            kernel.let_through(self._listener, call)
        else:
            kernel.refuse(self._listener, call, errno.EPERM)

    def _open(self, call: Notification, memory: Memory) -> None:
        at = self._names[call.number] == "openat"
        directory, name, flags = call.arguments[:3] if at else (_CWD, *call.arguments[:2])
        path = memory.path(directory, name)
        self._file(call, path, LET_THROUGH, writes=bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
        kernel.let_through(self._listener, call)

    def _link(self, call: Notification, memory: Memory) -> None:
        self._file(call, memory.path(_CWD, call.arguments[0]), "a link to it", writes=False)
        kernel.let_through(self._listener, call)

    def _map(self, call: Notification, memory: Memory) -> None:
        descriptor = call.arguments[4] & 0xFFFFFFFF
        if descriptor == 0xFFFFFFFF:
            self._note(call, "executable-memory", "anonymous", LET_THROUGH)
        else:
            path = memory.link(f"fd/{descriptor}")
            package = next((folder for folder in self._packages if path.startswith(folder)), None)
            if package is not None:
                path = package + path[len(package) :].partition("/")[0]
            if not path.startswith(self._system_libraries) and not self._is_hidden_worker(call, path):
                self._note(call, "library", path, LET_THROUGH)
        kernel.let_through(self._listener, call)

    def _protect(self, call: Notification, _memory: Memory) -> None:
        self._note(call, "executable-memory", "made executable", LET_THROUGH)
        kernel.let_through(self._listener, call)

    def _sleep(self, call: Notification, memory: Memory) -> None:
        by_clock = self._names[call.number] == "clock_nanosleep"
        data = memory.read(call.arguments[2 if by_clock else 0], 16)
        if len(data) == 16:
            seconds, nanoseconds = struct.unpack("=qq", data)
            left = seconds + nanoseconds / 1e9
            if by_clock and call.arguments[1] & _TIMER_ABSTIME:
                with suppress(OSError, OverflowError):  # no such clock
                    left -= time.clock_gettime(call.arguments[0] & 0xFFFFFFFF)
            if left >= _LONG_SLEEP_SECONDS:
                self._note(call, "sleep", f"about {left:.0f} s", LET_THROUGH)
        kernel.let_through(self._listener, call)

    def _memory_file(self, call: Notification, memory: Memory) -> None:
        self._note(call, "memory-file", memory.text(call.arguments[0], 256) or "", LET_THROUGH)
        kernel.let_through(self._listener, call)

    def _signal(self, call: Notification, _memory: Memory) -> None:
        target, number = call.arguments[0] & 0xFFFFFFFF, call.arguments[1] & 0xFFFFFFFF
        signed = target - (1 << 32) if target >= 1 << 31 else target
        if number:
            to = {1: "process 1", -1: "every process", self._worker: "the worker"}.get(signed, "a process")
            self._note(call, "signal", f"{number} to {to}", LET_THROUGH)
        kernel.let_through(self._listener, call)

    def _is_hidden_worker(self, call: Notification, path: str) -> bool:
        """Whether this is the worker, which hides its memory from the stages: what it opens by then is ours."""
        return path == UNREADABLE and call.thread == self._worker

    def _file(self, call: Notification, path: str, answer: str, *, writes: bool) -> None:
        """Note a file unless it is one that is read all the time. Sensitive ones are a kind of their own, so that
        no number of others leaves them out."""
        if self._is_hidden_worker(call, path):
            return
        kind = "write" if writes else "read"
        if self._sensitive.search(path):
            self._note(call, f"sensitive-{kind}", path, answer)
        elif not f"{path}/".startswith(self._quiet):
            self._note(call, kind, path, answer)

    def _note(self, call: Notification, kind: str, subject: str, answer: str) -> None:
        self._ledger.note(kind, subject, answer=answer, by=self._caller(call))

    def _caller(self, call: Notification) -> str:
        """The program that made the call, by the kernel's own link."""
        try:
            return os.readlink(f"/proc/{call.thread}/exe")[:200]  # noqa: PTH115 - may be "… (deleted)"
        except OSError:
            return ""


def _place(found: tuple[str, str, int]) -> str:
    host = f"[{found[1]}]" if ":" in found[1] else found[1]
    return f"{host}:{found[2]}"


def _family(number: int) -> str:
    try:
        return socket.AddressFamily(number).name
    except ValueError:
        return f"family {number}"
