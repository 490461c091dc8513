"""PUT to a signed URL of the embedded storage."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from registry.assembly import Registry
from registry.errors import Refusal, not_found
from registry.storage.files import ROUTE, FileStorage

router = APIRouter(tags=["storage"])

_PIECE = 1 << 20


@router.put(f"{ROUTE}/{{token}}", status_code=200)
async def put_object(token: str, request: Request) -> Response:
    """Take an archive under the terms that its token holds; a key is not needed. The body is never held whole."""
    registry: Registry = request.app.state.registry
    storage = registry.storage
    if not isinstance(storage, FileStorage):
        raise not_found("the upload URL", "this registry's uploads go to its object store")
    announced = request.headers.get("content-length", "")
    if not announced.isdigit():
        raise Refusal(411, "length_required", "send Content-Length; uploads of unknown length are not taken")
    most = registry.settings.limits.archive_bytes
    upload = await to_thread.run_sync(storage.receive, token, int(announced), most)
    with upload:
        pending = bytearray()
        try:
            async for chunk in request.stream():
                pending += chunk
                if len(pending) >= _PIECE:
                    await to_thread.run_sync(upload.write, bytes(pending))
                    pending.clear()
        except ClientDisconnect:
            raise Refusal(400, "cut_off", "the connection was cut; send the file again to the same URL") from None
        await to_thread.run_sync(upload.write, bytes(pending))
        await to_thread.run_sync(upload.finish)
    return Response(headers={"ETag": f'"{upload.sha256}"'})
