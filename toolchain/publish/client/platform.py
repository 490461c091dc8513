"""The platform's endpoints as calls: each answer is a type, each refusal an error with reasons and a remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from toolchain.core.digests import sha256_json
from toolchain.core.errors import UsageFault
from toolchain.publish.client.collections import Collections
from toolchain.publish.client.errors import (
    NEXT_VERSION,
    AlreadyThere,
    AnswerMalformed,
    DeploymentRefused,
    KeyRefused,
    NotThere,
    PluginRefused,
    QuotaReached,
    ServerRefused,
    ServerUnavailable,
)
from toolchain.publish.client.models import (
    Answer,
    Confirmation,
    Deletion,
    Deployment,
    DeploymentStatus,
    Plugin,
    PluginList,
    Upload,
    id_in_path,
)
from toolchain.publish.client.refusals import Reason, reasons_in
from toolchain.publish.client.transport import Reply, Transport

_Model = TypeVar("_Model", bound=Answer)
_DESCRIPTION_LIMIT: Final = 500
_EXPIRATION_SECONDS: Final = 3600
_PAGE: Final = 100
_PAGES: Final = 200
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# The contract's troubleshooting table, by what the server complains of.
_IMPORTS: Final = "ensure __init__.py files exist; `mixpeek plugin test` shows the same error"
_SCAN: Final = "remove the forbidden patterns; `mixpeek plugin scan` shows them"
_VALIDATION: Final = (
    "check that manifest.py exports metadata and schemas; `mixpeek plugin test --verbose` tells more"
)
_SIGNATURE: Final = (
    "give your signing.pub (`mixpeek key show`) to the registry's operator, then run the same command again"
)
_NO_STATUS: Final = (
    "check the id and the namespace: `mixpeek plugin list` shows what is there; for one that is listed ask again "
    "in a moment, or deploy it with `mixpeek plugin deploy PLUGIN_ID`"
)
_PLUGIN: Final = "check the id and the namespace; `mixpeek plugin list` shows what is there"
_UPLOAD: Final = "run the same command again; it begins a new upload"
_PLACE: Final = "check the namespace and --base-url"


@dataclass(frozen=True)
class NewUpload:
    """What is announced before an upload: the plugin, and the archive's size and digest.

    ``record_sha256`` is of the record that will be confirmed with it: another record is another upload.
    ``attempt`` tells an upload that starts anew, because its URL is over, from one that is asked for again.
    """

    name: str
    version: str
    description: str
    bytes: int
    archive_sha256: str
    attempt: int = 0
    record_sha256: str = ""


# What an answer holds when the server has looked at the plugin, whatever HTTP's status says.
_JUDGED: Final = frozenset({"validation_errors", "violations", "security_violations", "validation_status"})


class Platform:
    """One namespace of the platform, over ``transport``."""

    def __init__(self, transport: Transport, namespace: str) -> None:
        if not namespace:
            raise UsageFault(
                "no namespace is named", remedy="pass --namespace ns_…, or set MIXPEEK_NAMESPACE or [tool.mixpeek]"
            )
        if not _NAMESPACE.fullmatch(namespace):
            remedy = "a namespace is of letters, digits, `.`, `_` and `-`; see --namespace and MIXPEEK_NAMESPACE"
            raise UsageFault(f"{namespace[:100]!r} cannot be a namespace", where="--namespace", remedy=remedy)
        if not transport.connection.api_key:
            raise UsageFault(
                "there is no API key", remedy="set MIXPEEK_API_KEY (rather than --api-key, which shows)"
            )
        self.transport = transport
        self.namespace = namespace
        self._root = f"/v1/namespaces/{namespace}"

    def begin_upload(self, new: NewUpload) -> Upload:
        """Ask where to put an archive. Raises ``AlreadyThere`` when the version exists, ``QuotaReached``."""
        body = {
            "name": new.name,
            "version": new.version,
            "description": new.description[:_DESCRIPTION_LIMIT],
            "file_size_bytes": new.bytes,
            "presigned_url_expiration": _EXPIRATION_SECONDS,
        }
        told = [self.namespace, body, new.archive_sha256, new.record_sha256, new.attempt]
        headers = {"Idempotency-Key": sha256_json(told)}
        ours = {**body, "checksum_sha256": new.archive_sha256}
        path = "/plugins/uploads"
        # An upload that nobody confirms is nothing: asking twice does no harm.
        options: dict[str, Any] = {"headers": headers, "repeat": True}
        reply = self.transport.request("POST", self._root + path, json=ours, **options)
        if reply.status in {400, 422} and "checksum_sha256" in str(reply.try_json()):
            # A server that takes the documented fields alone.
            reply = self.transport.request("POST", self._root + path, json=body, **options)
        return self._read(Upload, self._checked(reply, path), path)

    def confirm(self, upload_id: str, claims: Mapping[str, Any], *, repeat: bool = False) -> Confirmation:
        """Say that the archive is there; ``claims``: ``file_size_bytes``, ``etag``, ``record``.

        A judgement is returned, also one that refuses the plugin, with its reasons in ``validation_errors``. The
        connection may break after the server has done it: the caller asks ``plugin`` before it tries again, unless
        ``repeat`` says that confirming twice is confirming once.
        """
        path = f"/plugins/uploads/{id_in_path(upload_id)}/confirm"
        reply = self.transport.request("POST", self._root + path, json=dict(claims), repeat=repeat)
        document = reply.try_json()
        if reply.status in {400, 409, 422} and isinstance(document, dict) and _JUDGED & set(document):
            document = {**document, "success": False, "upload_id": upload_id}
        else:
            document = self._checked(reply, path).json(self._shown(path))
        if isinstance(document, dict) and (document.get("success") is False or document.get("violations")):
            reasons = reasons_in(document)
            told = {"validation_errors": [str(reason) for reason in reasons], "reasons": tuple(reasons)}
            document = {**document, **told}
        elif isinstance(document, dict):
            document = {name: value for name, value in document.items() if name != "reasons"}  # the name is ours
        return self._model(Confirmation, document, path)

    def plugins(self) -> list[Plugin]:
        """Every plugin of the namespace; pages are followed where the server has them."""
        found: dict[str, Plugin] = {}
        params: dict[str, Any] = {}
        for _ in range(_PAGES):
            answer = self._read(PluginList, self._call("GET", "/plugins", params=params), "/plugins")
            before = len(found)
            found.update({plugin.plugin_id: plugin for plugin in answer.plugins})
            if len(found) == before or answer.total is None or len(found) >= answer.total:
                break
            following = {"cursor": answer.next_cursor} if answer.next_cursor else {"offset": len(found)}
            params = {"limit": _PAGE, **following}
        return list(found.values())

    def extractors(self) -> list[Plugin]:
        """Every extractor, the platform's own among them: the one place where ``source`` is documented."""
        answer = self._read(PluginList, self._call("GET", "/extractors"), "/extractors")
        return answer.plugins

    def plugin(self, plugin_id: str) -> Plugin:
        """One plugin. Raises ``NotThere``."""
        path = self._plugin(plugin_id)
        document = self._call("GET", path).json(path)
        inner = document.get("plugin") if isinstance(document, dict) else None
        return self._model(Plugin, inner if isinstance(inner, dict) else document, path)

    def delete(self, plugin_id: str) -> Deletion:
        """Delete a plugin. One that an earlier attempt of this call has deleted counts as deleted."""
        path = self._plugin(plugin_id)
        return self._read(Deletion, self._call("DELETE", path), path)

    def deploy(self, plugin_id: str, *, batch_only: bool = False) -> Deployment:
        """Deploy a plugin for realtime, or for batches alone. Deploying twice is deploying once.

        Raises ``DeploymentRefused`` with the server's reason.
        """
        path = f"{self._plugin(plugin_id)}/deploy"
        params = {"deployment_type": "batch_only"} if batch_only else {}
        reply = self.transport.request("POST", self._root + path, params=params, repeat=True)
        if reply.status == 409:
            raise refusal(reply, self._shown(path), otherwise=_UNDEPLOYED)
        return self._read(Deployment, self._checked(reply, path), path)

    def status(self, plugin_id: str) -> DeploymentStatus:
        """How far a deployment is."""
        path = f"{self._plugin(plugin_id)}/status"
        return self._read(DeploymentStatus, self._call("GET", path), path)

    @property
    def collections(self) -> Collections:
        """The namespace's collections: where published plugins are used."""
        return Collections(self)

    def ask(
        self, model: type[_Model], method: str, path: str, *, root: str | None = None, **options: Any
    ) -> _Model:
        """One call whose answer is a ``model``; ``path`` is below the namespace, or below ``root``."""
        reply = self.transport.request(method, (self._root if root is None else root) + path, **options)
        return self._read(model, self._checked(reply, path), path)

    def _plugin(self, plugin_id: str) -> str:
        return f"/plugins/{id_in_path(plugin_id)}"

    def _call(self, method: str, path: str, **options: Any) -> Reply:
        return self._checked(self.transport.request(method, self._root + path, **options), path)

    def _checked(self, reply: Reply, path: str) -> Reply:
        if 200 <= reply.status < 300:
            return reply
        raise refusal(reply, self._shown(path))

    def _read(self, model: type[_Model], reply: Reply, path: str) -> _Model:
        return self._model(model, reply.json(self._shown(path)), path)

    def _model(self, model: type[_Model], document: Any, path: str) -> _Model:
        try:
            return model.model_validate(document)
        except ValidationError as reason:
            problem = reason.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in problem["loc"]) or "the answer"
            raise AnswerMalformed(
                f"{place}: {problem['msg']}",
                where=self._shown(path),
                remedy="check --base-url; if it is right, the server does not speak this version of the API",
            ) from None

    def _shown(self, path: str) -> str:
        return f"{self.transport.connection.base_url.rstrip('/')}{self._root}{path}"


@dataclass(frozen=True)
class _Meaning:
    """What a status means: the error, one sentence, and the next step."""

    error: type[ServerRefused]
    message: str
    remedy: str


_RAISE: Final = (
    "raise the version in manifest.py, and in pyproject.toml if it has one; a published version never changes"
)
_TOO_LARGE: Final = "leave out what the plugin does not need; publish large models separately"
_MEANINGS: Final[Mapping[int, _Meaning]] = {
    400: _Meaning(PluginRefused, "the server refuses this", ""),
    401: _Meaning(KeyRefused, "the API key is not accepted", "check MIXPEEK_API_KEY"),
    403: _Meaning(
        KeyRefused,
        "the API key may not do this",
        "use a key that has this right in this namespace; check --namespace",
    ),
    404: _Meaning(NotThere, "there is no such thing", _PLACE),
    405: _Meaning(ServerRefused, "the server has no such endpoint", "check --base-url"),
    409: _Meaning(
        AlreadyThere,
        "this version is there already",
        _RAISE,
    ),
    410: _Meaning(NotThere, "it is not there any more", _PLACE),
    413: _Meaning(PluginRefused, "the archive is too large", _TOO_LARGE),
    422: _Meaning(PluginRefused, "the server refuses this", ""),
    429: _Meaning(ServerRefused, "the server asks for patience", "try again later"),
}
_UNDEPLOYED: Final = _Meaning(
    DeploymentRefused,
    "the server does not deploy this plugin",
    NEXT_VERSION,
)
_QUOTA: Final = _Meaning(
    QuotaReached,
    "the namespace may not have more plugins",
    "delete plugins that are not in use, or ask for a larger quota",
)
# By the type of the error, where the server is one that documents its types: our own registry.
_TYPED: Final[Mapping[str, _Meaning]] = {
    "version_deleted": _Meaning(AlreadyThere, "this version was published before, and deleted", _RAISE),
    "release_stopped": _Meaning(DeploymentRefused, "a reviewer has stopped this release", _UNDEPLOYED.remedy),
    "collection_exists": _Meaning(
        AlreadyThere, "a collection of this name is there already", "choose another name"
    ),
    "quota_exceeded": _QUOTA,
}
# By the beginning of a violation's rule, of the same registry.
_REMEDIES: Final = (
    ("record.wrong-key", _SIGNATURE),
    ("scan.", _SCAN),
    ("release.version_", _RAISE),
    ("release.quota_exceeded", _QUOTA.remedy),
)


def refusal(reply: Reply, where: str, otherwise: _Meaning | None = None) -> ServerRefused | ServerUnavailable:
    """The error for an answer that is no success, with the reasons it gives and what to do.

    The error's type says what it is; for a type that is not known the status does, or ``otherwise``.
    """
    reasons = reasons_in(reply.try_json())
    if reply.status >= 500:
        first = f": {reasons[0]}" if reasons else ""
        message = f"the server failed (HTTP {reply.status}){first}"
        return ServerUnavailable(message, where=where, remedy="try again later; nothing is lost")
    typed = next((meaning for reason in reasons if (meaning := _TYPED.get(reason.type or ""))), None)
    meaning = typed or otherwise or _by_status(reply.status, reasons)
    if meaning.error is NotThere:
        meaning = replace(meaning, remedy=_missing(where))
    remedy = meaning.remedy or remedy_for(reasons)
    return meaning.error(meaning.message, where=where, remedy=remedy, status=reply.status, reasons=reasons)


def _by_status(status: int, reasons: Sequence[Reason]) -> _Meaning:
    """The documented API has one status for a key without the right and for a quota: only its words differ."""
    if status == 403 and _speaks_of(reasons, "quota", "limit", "maximum"):
        return _QUOTA
    unknown = _Meaning(ServerRefused, f"HTTP {status}", "check --base-url and --namespace")
    return _MEANINGS.get(status, unknown)


def _missing(where: str) -> str:
    """What to do when nothing is found at an address: it depends on what was asked for there."""
    path = where.partition("/plugins/")[2]
    if path.endswith("/status"):
        return _NO_STATUS
    if path.startswith("uploads"):
        return _UPLOAD
    return _PLUGIN if path else _PLACE


def remedy_for(reasons: Sequence[Reason]) -> str:
    """What to do about a server's judgement: by its rules where it names any, else by the contract's table.

    The documented API gives sentences alone, and so does the contract's troubleshooting table.
    """
    rules = [reason.type for reason in reasons if reason.type is not None]
    for rule in rules:
        for start, remedy in _REMEDIES:
            if rule.startswith(start):
                return remedy
    if _speaks_of(reasons, "import error", "no module", "__init__", "modulenotfound", "importerror"):
        return _IMPORTS
    if _speaks_of(reasons, "forbidden", "security", "not allowed", "disallowed"):
        return _SCAN
    return _VALIDATION


def _speaks_of(reasons: Sequence[Reason], *words: str) -> bool:
    text = " ".join(reason.message for reason in reasons).lower()
    return any(word in text for word in words)
