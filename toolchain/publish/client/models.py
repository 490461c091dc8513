"""The API's answers as types: what is documented is named, what is not is kept, and only what is needed is asked.

Servers disagree on case and leave fields out; a reader that insists on more than it needs breaks on the next one.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from toolchain.core.errors import UsageFault
from toolchain.publish.client.refusals import Reason

# An id becomes a part of a URL's path and of commands that are copied into a shell: `-x` would be an option there.
_ID: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_.][A-Za-z0-9_.-]{0,199}")
ID_RULE: Final = "an id is of letters, digits, `_`, `.` and `-`, and does not begin with `-`"


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Word = Annotated[str, BeforeValidator(_lower)]
"""A word of an enumeration, which documents and examples write in different cases."""


def is_id(text: str) -> bool:
    """Whether ``text`` can be an id: such a one is safe in a URL's path and in a shell."""
    return _ID.fullmatch(text) is not None


def id_in_path(text: str) -> str:
    """An id that a caller gave, as a part of a URL's path. Raises ``UsageFault`` for what cannot be one."""
    if not is_id(text):
        remedy = f"{ID_RULE}; `mixpeek plugin list` shows the ids of plugins"
        raise UsageFault(f"{text[:100]!r} cannot be an id", where="id", remedy=remedy)
    return text


def _checked_id(text: str) -> str:
    if not is_id(text):
        raise PydanticCustomError("id", "{rule}; this one cannot be used", {"rule": ID_RULE})
    return text


Id = Annotated[str, AfterValidator(_checked_id)]
"""What a server calls a plugin, an upload or a collection."""


class Answer(BaseModel):
    """Root of the answers: unknown fields are kept, so that ``--json`` can show them."""

    model_config = ConfigDict(extra="allow", populate_by_name=True, protected_namespaces=())


class Upload(Answer):
    """An upload that was begun. The last two fields are what our own registry adds.

    ``upload_headers`` must come with the PUT; ``accepts`` names what ``confirm`` takes beyond the documented.
    """

    upload_id: Id
    presigned_url: str = Field(repr=False)
    s3_key: str | None = None
    expires_at: str | None = None
    namespace_id: str | None = None
    name: str | None = None
    version: str | None = None
    upload_headers: dict[str, str] = Field(default_factory=dict, repr=False)
    accepts: list[str] = Field(default_factory=list)


class FactLine(Answer):
    """One line of a registry's own verification: what was claimed, what it found, and how both stand."""

    fact: str
    standing: Word = "not checked"
    claimed: str | None = None
    found: str | None = None
    note: str = ""


class Confirmation(Answer):
    """What became of an upload. ``reasons`` are the ``validation_errors`` as the client read them, with types."""

    success: bool = True
    upload_id: Id | None = None
    plugin_id: Id | None = None
    validation_status: Word | None = None
    validation_errors: list[Any] = Field(default_factory=list)
    deployment_status: Word | None = None
    feature_uri: str | None = None
    s3_archive_url: str | None = None
    message: str | None = None
    facts: list[FactLine] = Field(default_factory=list)
    reasons: tuple[Reason, ...] = Field(default=(), exclude=True)

    @property
    def pending(self) -> bool:
        """Whether the server has not made up its mind; a status that the API does not document is no judgement."""
        return not self.refused and self.validation_status not in {None, "passed"}

    @property
    def refused(self) -> bool:
        """Whether the server judged the plugin and refused it; some say so with status 200."""
        return not self.success or self.validation_status == "failed"


class DecisionLine(Answer):
    """A reviewer's word on a plugin, as our own registry tells it."""

    verdict: Word = ""
    reason: str = ""
    author: str = ""
    decided_at: str | None = None


class Plugin(Answer):
    """A plugin in a list or by itself. ``source`` is documented for the extractors alone.

    ``review_status``, ``deployment_status``, ``awaits_approval`` and ``decisions`` are our own registry's.
    """

    plugin_id: Id = Field(validation_alias=AliasChoices("plugin_id", "feature_extractor_id", "id"))
    name: str = Field(default="", validation_alias=AliasChoices("name", "feature_extractor_name"))
    version: str | None = None
    description: str | None = None
    source: Word | None = None
    deployed: bool | None = None
    validation_status: Word | None = None
    feature_uri: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    code_hash: str | None = None
    archive_sha256: str | None = None
    tar_sha256: str | None = None
    security_scan_passed: bool | None = None
    facts: list[FactLine] = Field(default_factory=list)
    review_status: Word | None = None
    deployment_status: Word | None = None
    awaits_approval: bool | None = None
    decisions: list[DecisionLine] = Field(default_factory=list)

    @property
    def deployment(self) -> str | None:
        """How its deployment stands, in words: the server's, and our own for what waits for a reviewer."""
        return "awaiting approval" if self.awaits_approval else self.deployment_status


class PluginList(Answer):
    """The plugins of a namespace."""

    plugins: list[Plugin] = Field(default_factory=list, validation_alias=AliasChoices("plugins", "extractors"))
    total: int | None = None
    next_cursor: str | None = None
    namespace_id: str | None = None


class Deletion(Answer):
    """What became of a deletion."""

    plugin_id: Id | None = None
    message: str | None = None
    deployment_removed: bool | None = None


class Deployment(Answer):
    """What became of the wish to deploy."""

    status: Word = "queued"
    deployment_type: Word | None = None
    message: str | None = None
    deployment_name: str | None = None
    route_prefix: str | None = None
    estimated_completion_seconds: float | None = None
    queue_position: int | None = None
    status_endpoint: str | None = None


class DeploymentStatus(Answer):
    """How far a deployment is. ``review_status`` is our own registry's."""

    status: Word = "unknown"
    realtime_enabled: bool | None = None
    queued_at: str | None = None
    route_prefix: str | None = None
    error: Any = None
    message: str | None = None
    review_status: Word | None = None

    @property
    def stopped(self) -> bool:
        """Whether a reviewer ended it: only another version can be deployed."""
        return self.review_status in {"rejected", "quarantined"}

    @property
    def ended(self) -> bool:
        """Whether waiting longer changes nothing."""
        return self.status in {"deployed", "failed", "not_deployed", "batch_only"}


class Collection(Answer):
    """A collection: the features of a plugin over a source. The last three fields are our own registry's."""

    collection_id: Id | None = None
    collection_name: str | None = None
    status: Word | None = None
    error: str | None = None
    rows: int | None = None
    columns: list[str] = Field(default_factory=list)


class Documents(Answer):
    """A page of a collection's rows with their features."""

    documents: list[dict[str, Any]] = Field(default_factory=list)
    total: int | None = None
    next_offset: int | None = None
