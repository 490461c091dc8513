"""Runs the application: one process, ended politely."""

from __future__ import annotations

from collections.abc import Callable

import uvicorn

from registry.api.app import create_app
from registry.assembly import open_registry
from registry.settings import RegistrySettings


def serve(settings: RegistrySettings, host: str, port: int, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``ready`` is called once requests are taken.

    Raises ``UsageFault`` for a data folder in use, and ``OSError`` for an address that cannot be had.
    """
    with open_registry(settings) as registry:
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
        _Server(config, ready).run()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """As uvicorn's, then say so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._ready()
