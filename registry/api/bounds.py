"""No request makes the server hold more than it should."""

from __future__ import annotations

import json
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from registry.errors import Refusal


class BoundedBody:
    """Refuses bodies over ``limit`` bytes, announced or not; what goes to ``streamed`` is bounded there."""

    def __init__(self, app: ASGIApp, *, limit: int, streamed: str) -> None:
        self._app, self._limit, self._streamed = app, limit, streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"].startswith(self._streamed):
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._limit:
            await _refuse(send, self._limit)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise Refusal(413, "too_large", f"the body is larger than {self._limit} bytes")
            return message

        await self._app(scope, bounded, send)


async def _refuse(send: Send, limit: int) -> None:
    refusal = Refusal(413, "too_large", f"the body is larger than {limit} bytes")
    headers: list[Any] = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(refusal.to_json()).encode()})
