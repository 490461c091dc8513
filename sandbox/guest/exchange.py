"""The guest's end of the memory that it may share with the host: see ``sandbox.exchange``."""

from __future__ import annotations

import socket
from contextlib import suppress

_PATH = "/opt/mixpeek/exchange/socket"
_SECONDS = 5.0


def approach_exchange() -> socket.socket:
    """A socket that waits for the host, which answers whoever came first: call it before any code of others runs.

    Where there is no host to be reached this way it is not connected, which ``receive_exchange`` finds out.
    """
    host = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    host.settimeout(_SECONDS)
    with suppress(OSError):
        host.connect(_PATH)
    return host


def receive_exchange(host: socket.socket) -> tuple[int, ...]:
    """Descriptors of the incoming and the outgoing file; none where the host is not there."""
    try:
        _, descriptors, _, _ = socket.recv_fds(host, 64, 2, socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return ()
    return tuple(descriptors) if len(descriptors) == 2 else ()
