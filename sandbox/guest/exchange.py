"""The guest's end of the memory that it may share with the host: see ``sandbox.exchange``."""

from __future__ import annotations

import socket

_PATH = "/opt/mixpeek/exchange/socket"
_SECONDS = 5.0


def receive_exchange() -> tuple[int, ...]:
    """Descriptors of the incoming and the outgoing file; none where the host cannot be reached this way.

    The host lets exactly one process connect: call it before any plugin code runs.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as host:
        host.settimeout(_SECONDS)
        try:
            host.connect(_PATH)
            _, descriptors, _, _ = socket.recv_fds(host, 64, 2, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            return ()
    return tuple(descriptors) if len(descriptors) == 2 else ()
