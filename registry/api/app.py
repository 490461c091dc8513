"""The HTTP application: routes, the one error envelope, and what guards every request."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from registry.api import collections, deployments, plugins, storage_routes, uploads
from registry.api.bounds import BoundedBody
from registry.api.shapes import ErrorAnswer
from registry.assembly import Registry
from registry.errors import Refusal, unavailable
from registry.pages import routes as pages
from registry.storage import StorageFault
from registry.storage.files import ROUTE
from toolchain import __version__

_LOG = logging.getLogger(__name__)
_REFUSALS = (400, 401, 403, 404, 409, 413, 422, 429, 503)


def create_app(registry: Registry) -> FastAPI:
    """The application over an open registry; its worker runs while the application does."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        registry.worker.start()
        registry.deployer.start()
        registry.collector.start()
        yield
        await to_thread.run_sync(registry.worker.close)
        await to_thread.run_sync(registry.deployer.close)
        await to_thread.run_sync(registry.collector.close)

    app = FastAPI(
        title="mixpeek registry",
        version=__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": ErrorAnswer} for status in _REFUSALS},
    )
    app.state.registry = registry
    app.add_middleware(BoundedBody, limit=registry.settings.limits.body_bytes, streamed=ROUTE)
    app.include_router(uploads.router)
    app.include_router(plugins.router)
    app.include_router(collections.router)
    app.include_router(deployments.router)
    app.include_router(storage_routes.router)
    app.include_router(pages.router)
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(StorageFault, _storage)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
    return app


def _answer(refusal: Refusal) -> JSONResponse:
    return JSONResponse(refusal.to_json(), refusal.status, dict(refusal.headers))


def _told(request: Request, refusal: Refusal) -> Response:
    path = request.url.path
    return pages.error_page(refusal, path) if f"{path}/".startswith("/review/") else _answer(refusal)


async def _refusal(request: Request, refusal: Any) -> Response:
    return _told(request, refusal)


async def _storage(_request: Request, _fault: Any) -> JSONResponse:
    _LOG.warning("the object store failed: %s", _fault)
    return _answer(unavailable("the registry's object store does not answer; nothing was changed, call again"))


async def _validation(_request: Request, problem: Any) -> JSONResponse:
    places = [".".join(str(part) for part in error["loc"] if part != "body") for error in problem.errors()]
    texts = [f"{place or 'body'}: {error['msg']}" for place, error in zip(places, problem.errors(), strict=True)]
    details = {"fields": dict(zip(places, texts, strict=True))}
    return _answer(Refusal(422, "invalid_request", "; ".join(texts)[:2_000], details))


async def _http(request: Request, problem: Any) -> Response:
    kind = {404: "not_found", 405: "method_not_allowed"}.get(problem.status_code, "http")
    message = f"{problem.detail}; the routes are listed at /openapi.json"
    refusal = Refusal(problem.status_code, kind, message, headers=dict(problem.headers or {}))
    return _told(request, refusal)


async def _bug(_request: Request, bug: Any) -> JSONResponse:
    _LOG.error("a fault of the registry", exc_info=bug)
    return _answer(Refusal(500, "internal", "a fault of the registry; its operator finds more in its log"))
