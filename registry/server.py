"""Runs the application: one process, ended politely."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from registry.api.app import create_app
from registry.assembly import open_registry
from registry.settings import RegistrySettings
from toolchain.core.errors import UsageFault

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def serve(settings: RegistrySettings, host: str, port: int, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``ready`` is called once requests are taken.

    Raises ``UsageFault`` for an address that cannot be had and whatever ``open_registry`` raises; a stop by signal
    ends in ``KeyboardInterrupt`` where that is what the signal's own handler raises.
    """
    with listening(host, port) as sockets, open_registry(settings) as registry:
        # Forwarded headers are a proxy's word; none is trusted, the rate limits count the proxy then.
        config = uvicorn.Config(
            create_app(registry),
            host=host,
            port=port,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=20,
        )
        _Server(config, ready).run(sockets)


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """A context with a bound socket for every address of ``host``. Raises ``UsageFault``."""
    bound: list[socket.socket] = []
    try:
        try:
            places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, address in dict.fromkeys(places):
                try:
                    bound.append(_bound(family, address))
                except OSError as reason:
                    # A name may stand for ::1 where there is no IPv6; one address of it is enough.
                    if reason.errno not in _ABSENT or (not bound and address == places[-1][4]):
                        raise
        except (OSError, UnicodeError) as reason:
            told = getattr(reason, "strerror", None) or str(reason)
            remedy = "choose another --port, or a --host of this machine"
            raise UsageFault(f"cannot listen: {told}", where=f"{host}:{port}", remedy=remedy) from None
        yield bound
    finally:
        for one in bound:
            one.close()


def _bound(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen()
    except OSError:
        made.close()
        raise
    return made


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, and a terminal that is closed ends the server as Ctrl-C does."""
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGHUP"):
            with super().capture_signals():
                yield
            return
        before = signal.signal(signal.SIGHUP, lambda _number, frame: self.handle_exit(signal.SIGTERM, frame))
        try:
            with super().capture_signals():
                yield
        finally:
            signal.signal(signal.SIGHUP, before)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """As uvicorn's, then say so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._ready()
