"""The pages and what their forms do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from pydantic import BaseModel, Field

from registry.access.keys import NAMESPACE_PATTERN
from registry.api.shapes import Text
from registry.assembly import Registry
from registry.errors import Refusal, forbidden, not_found
from registry.pages import views
from registry.pages.reading import listing
from registry.pages.sessions import COOKIE, LIFE, Login, Sessions
from registry.releases import catalogue
from registry.storage import KeptArchive
from toolchain.core.sizes import shown_bytes
from toolchain.core.visible import visible

router = APIRouter(prefix="/review", include_in_schema=False)

_HERE = Path(__file__).parent


def _readable(value: Any) -> Any:
    """What an expression of a template gives, with hidden characters shown; as text, fit for attributes too."""
    if isinstance(value, Markup):  # a filter has escaped it
        return escape(visible(value.unescape()))
    return visible(value) if isinstance(value, str) else value


_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    finalize=_readable,
)
_TEMPLATES.filters["shown_bytes"] = shown_bytes
_TEMPLATES.globals["verdicts"] = tuple(catalogue.VERDICTS)
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers send `Origin: null` with our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


_WRONG_KEY = "This key is not valid here. Ask the registry's operator for a reviewer's key."
_MISSING = {
    "the plugin": "There is no such release here: it was deleted, or your key does not open its namespace.",
    "the file": "There is no such file in this release. Its page lists the files.",
}
_NO_PAGE = "There is no such page here."


class DecisionForm(BaseModel):
    """What the form at the end of a plugin's page sends."""

    form_token: str = Field(max_length=200)
    verdict: Text = Field(default="", max_length=40)
    reason: Text = Field(default="", max_length=4_000)


@router.get("/style.css")
def style() -> Response:
    """The one style sheet."""
    return Response((_HERE / "static" / "style.css").read_bytes(), media_type="text/css", headers=HEADERS)


@router.get("/login")
def login_page(request: Request) -> Response:
    """The form for a key."""
    if _login(request) is not None:
        return RedirectResponse("/review", 303)
    return _page("login.html", 200, problem=None, login=None)


@router.post("/login")
def login(request: Request, key: Annotated[str, Form(max_length=200)]) -> Response:
    """Take a reviewer's key."""
    registry = _registry(request)
    _same_origin(request, registry)
    try:
        registry.strangers.take(request.client.host if request.client else "")
        value = _sessions(request).open(registry.keys.principal(key.strip()))
    except Refusal as refusal:
        problem = _WRONG_KEY if refusal.status == 401 else refusal.message
        return _page("login.html", refusal.status, problem=problem, login=None)
    answer = RedirectResponse("/review", 303, HEADERS)
    answer.set_cookie(
        COOKIE,
        value,
        max_age=int(LIFE.total_seconds()),
        path="/review",
        httponly=True,
        samesite="strict",
        secure=registry.settings.public_url.startswith("https:"),
    )
    return answer


@router.post("/logout")
def logout(request: Request, form_token: Annotated[str, Form(max_length=200)]) -> Response:
    """End the session."""
    login = _login(request)
    if login is not None:
        login.check_form(form_token)
        _sessions(request).close(request.cookies[COOKIE])
    answer = RedirectResponse("/review/login", 303, HEADERS)
    answer.delete_cookie(COOKIE, path="/review")
    return answer


@router.get("")
@router.get("/")
def queue(
    request: Request,
    state: Annotated[str, Query(max_length=20)] = "pending",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """What waits for a reviewer, oldest first; other states by name."""
    login = _login(request)
    if login is None:
        return RedirectResponse("/review/login", 303)
    with _registry(request).database.read() as session:
        listed = views.queue(session, login.principal, state, cursor)
    return _page("queue.html", 200, login=login, **listed)


@router.get("/{namespace}/{plugin_id}")
def plugin(request: Request, namespace: str, plugin_id: str) -> Response:
    """Everything about one plugin."""
    login = _login(request)
    if login is None:
        return RedirectResponse("/review/login", 303)
    _check_namespace(login, namespace)
    with _registry(request).database.read() as session:
        shown = views.plugin(session, catalogue.find(session, namespace, plugin_id))
    return _page("plugin.html", 200, login=login, problem=None, **shown)


@router.get("/{namespace}/{plugin_id}/file")
def file(
    request: Request, namespace: str, plugin_id: str, name: Annotated[str, Query(max_length=1_000)]
) -> Response:
    """A text file of the archive, with the lines that our scan found something in."""
    login = _login(request)
    if login is None:
        return RedirectResponse("/review/login", 303)
    _check_namespace(login, namespace)
    registry = _registry(request)
    with registry.database.read() as session:
        release = catalogue.find(session, namespace, plugin_id)
        evidence = catalogue.evidence_of(session, release)
    shown = views.member(evidence, name)
    kept = KeptArchive(release.archive_key, release.archive_sha256, release.archive_bytes)
    lines = listing(shown, lambda: registry.contents.file(kept, evidence.files, name))
    return _page("file.html", 200, login=login, release=release, name=name, listing=lines, **shown)


@router.post("/{namespace}/{plugin_id}")
def decide(request: Request, namespace: str, plugin_id: str, form: Annotated[DecisionForm, Form()]) -> Response:
    """A decision."""
    registry = _registry(request)
    login = _login(request)
    if login is None:
        return RedirectResponse("/review/login", 303)
    _same_origin(request, registry)
    login.check_form(form.form_token)
    _check_namespace(login, namespace)
    try:
        with registry.database.write() as session:
            release = catalogue.find(session, namespace, plugin_id)
            catalogue.decide(session, release, form.verdict, (login.principal, form.reason))
    except Refusal as refusal:
        if refusal.status != 400:
            raise
        with registry.database.read() as session:
            shown = views.plugin(session, catalogue.find(session, namespace, plugin_id))
        return _page("plugin.html", 400, login=login, problem=refusal.message, **shown)
    registry.deployer.wake()
    return RedirectResponse(f"/review/{namespace}/{plugin_id}#decisions", 303, HEADERS)


def error_page(refusal: Refusal, path: str) -> Response:
    """A refusal as a page: what programs are told to do about a missing plugin is no help to a reviewer.

    ``path`` is the one that was asked for: a file's page is one step below its release's.
    """
    what = str(refusal.details.get("what"))
    message = _MISSING.get(what, _NO_PAGE) if refusal.status == 404 else refusal.message
    release = path.rpartition("/")[0] if what == "the file" else None
    return _page("error.html", refusal.status, login=None, refusal=refusal, message=message, release=release)


def _page(template: str, status: int, **values: Any) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(template).render(**values), status, HEADERS)


def _registry(request: Request) -> Registry:
    found: Registry = request.app.state.registry
    return found


def _sessions(request: Request) -> Sessions:
    return Sessions(_registry(request).database)


def _login(request: Request) -> Login | None:
    return _sessions(request).find(request.cookies.get(COOKIE))


def _check_namespace(login: Login, namespace: str) -> None:
    if not NAMESPACE_PATTERN.fullmatch(namespace) or not login.principal.opens(namespace):
        raise not_found("the plugin", "your key opens other namespaces")


def _same_origin(request: Request, registry: Registry) -> None:
    """Refuse a form that another site sent, whatever cookies came with it. Browsers always tell the origin."""
    origin = request.headers.get("origin")
    hosts = {urlsplit(registry.settings.public_url).netloc, request.headers.get("host")}
    if origin is not None and urlsplit(origin).netloc not in hosts:
        raise forbidden("this form was sent by another site")
