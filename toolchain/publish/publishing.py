"""Publishes a release: announce, upload, confirm, deploy, wait. Interrupted, the same call finishes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import ExitCode, MixpeekError
from toolchain.core.reporter import Phase, Reporter
from toolchain.core.sizes import shown_bytes
from toolchain.publish.client.errors import (
    NEXT_VERSION,
    AlreadyThere,
    DeploymentRefused,
    NotThere,
    PluginRefused,
    ServerRefused,
    ServerUnavailable,
    UploadExpired,
)
from toolchain.publish.client.models import Confirmation, Deployment, DeploymentStatus, Plugin
from toolchain.publish.client.platform import NewUpload, Platform, remedy_for
from toolchain.publish.client.refusals import Reason
from toolchain.publish.client.upload import PutOrder, put_file
from toolchain.publish.journal import BEGUN, CONFIRMED, STORED, Entry, Journal, Place
from toolchain.publish.packing import PackedPlugin
from toolchain.publish.record.reading import record_document

_CONTENT_TYPES: Final = {"tar.gz": "application/gzip", "zip": "application/zip"}
_ROUNDS: Final = 3


class DeploymentFailed(MixpeekError):
    """The plugin is published, but it could not be deployed; the server says why."""

    id = "deployment-failed"
    exit_code = ExitCode.PLUGIN_AT_FAULT


class StillUnderWay(MixpeekError):
    """The server has not finished within the time that was given."""

    id = "still-under-way"


@dataclass(frozen=True)
class Waiting:
    """How to wait for a server: seconds in all, between the first two looks, and at most between two."""

    timeout: float = 600.0
    first: float = 1.0
    longest: float = 15.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


@dataclass(frozen=True)
class PublishOrder:
    """What to publish: the archive with its record, the plugin's description, and what to do afterwards."""

    packed: PackedPlugin
    record: Path
    description: str = ""
    deploy: bool = True
    wait: bool = True


@dataclass(frozen=True)
class Published:
    """A plugin on the server. ``was_there`` says that this very archive had been sent before.

    ``record_sent`` is false for servers that know the documented fields only: the record stays beside the archive.
    """

    plugin_id: str
    was_there: bool
    record_sent: bool
    confirmation: Confirmation | None
    deployment: Deployment | None = None
    status: DeploymentStatus | None = None


class Publisher:
    """Takes one release to one namespace."""

    def __init__(self, platform: Platform, journal: Journal, reporter: Reporter, waiting: Waiting) -> None:
        self._platform = platform
        self._journal = journal
        self._reporter = reporter
        self._waiting = waiting

    def publish(self, order: PublishOrder) -> Published:
        """Publish a release, or finish what an earlier call began.

        Raises the errors of ``toolchain.publish.client.errors``, each with the server's reasons,
        ``DeploymentFailed`` and ``StillUnderWay``. After any of them the same call goes on.
        """
        published = self._stored_and_confirmed(order)
        return self._deployed(order, published) if order.deploy else published

    def _stored_and_confirmed(self, order: PublishOrder) -> Published:
        for attempt in range(_ROUNDS):
            try:
                return self._round(order, attempt)
            except _StartAnew as reason:
                self._journal.forget(self._place(order.packed))
                last = reason
        raise last.error

    def _round(self, order: PublishOrder, attempt: int) -> Published:
        packed = order.packed
        entry = self._announced(order, attempt)
        if entry.stage == CONFIRMED:
            return Published(entry.plugin_id or plugin_id(packed), True, False, None)
        entry, was_stored = self._uploaded(packed, entry)
        confirmation, sent = self._confirmed(order, entry)
        found = confirmation.plugin_id or plugin_id(packed)
        if was_stored:
            self._check_still_there(found)
        done = Entry(packed.reading.archive_sha256, CONFIRMED, plugin_id=found)
        self._journal.keep(self._place(packed), done)
        return Published(found, was_stored, sent, confirmation)

    def _check_still_there(self, found: str) -> None:
        """A server that answers an old upload again may speak of a plugin that was deleted since."""
        try:
            self._platform.plugin(found)
        except NotThere as reason:
            raise _StartAnew(reason) from reason

    def _announced(self, order: PublishOrder, attempt: int) -> Entry:
        """The upload to work on: one that was begun before, a new one, or word that all is done."""
        packed = order.packed
        digest = packed.reading.archive_sha256
        with self._reporter.phase("announce") as phase:
            known = self._journal.find(self._place(packed))
            if known is not None and known.archive_sha256 == digest:
                if known.stage == CONFIRMED and self._is_ours(packed, known.plugin_id):
                    phase.result = "published before"
                    return known
                if known.stage == STORED or (known.stage == BEGUN and known.usable(_now())):
                    phase.result = "an upload that was begun before"
                    return known
            new = NewUpload(
                packed.name,
                packed.version,
                order.description,
                packed.reading.archive_bytes,
                digest,
                attempt,
                sha256_bytes(order.record.read_bytes()),
            )
            try:
                upload = self._platform.begin_upload(new)
            except AlreadyThere as refusal:
                return self._there_already(packed, refusal)
            entry = Entry(digest, BEGUN, upload)
            self._journal.keep(self._place(packed), entry)
            phase.result = upload.upload_id
        return entry

    def _there_already(self, packed: PackedPlugin, refusal: AlreadyThere) -> Entry:
        """The version exists: as this very release, which is well, or as another one, which is not."""
        if not self._is_ours(packed, plugin_id(packed)):
            raise refusal
        done = Entry(packed.reading.archive_sha256, CONFIRMED, plugin_id=plugin_id(packed))
        self._journal.keep(self._place(packed), done)
        return done

    def _is_ours(self, packed: PackedPlugin, known: str | None) -> bool:
        """Whether the server has this very archive under the plugin's name and version.

        Servers with the documented fields tell ``code_hash`` without saying of what; where that is no digest of
        ours, having confirmed this archive ourselves (``known`` from the journal) is what counts.
        """
        try:
            plugin = self._platform.plugin(known or plugin_id(packed))
        except NotThere:
            return False
        reading = packed.reading
        ours = {reading.archive_sha256, reading.tar_sha256, reading.files_sha256}
        told = {digest.removeprefix("sha256:").lower() for digest in _digests(plugin)}
        if told & ours:
            return True
        entry = self._journal.find(self._place(packed))
        confirmed = entry is not None and entry.stage == CONFIRMED and entry.archive_sha256 in ours
        return confirmed and plugin.archive_sha256 is None

    def _uploaded(self, packed: PackedPlugin, entry: Entry) -> tuple[Entry, bool]:
        """The entry after the upload, and whether the object had been there already."""
        if entry.stage == STORED:
            return entry, False
        upload = entry.upload
        assert upload is not None, "an entry that was begun has its upload"
        order = PutOrder(
            upload.presigned_url,
            packed.path,
            packed.reading.archive_sha256,
            _CONTENT_TYPES[packed.reading.format],
            upload.upload_headers,
        )
        with self._reporter.phase("upload") as phase:

            def progress(sent: int, size: int, seconds: float) -> None:
                phase.advance(f"{shown_bytes(sent)} of {shown_bytes(size)}{_rate(sent, seconds)}")

            try:
                stored = put_file(order, self._platform.transport.connection, progress, self._waiting.sleep)
            except UploadExpired as reason:
                raise _StartAnew(reason) from reason
            done = f"{shown_bytes(stored.bytes)}{_rate(stored.bytes, stored.seconds)}"
            phase.result = "there already" if stored.was_there else done
        entry = replace(entry, stage=STORED, etag=stored.etag)
        self._journal.keep(self._place(packed), entry)
        return entry, stored.was_there

    def _confirmed(self, order: PublishOrder, entry: Entry) -> tuple[Confirmation, bool]:
        upload = entry.upload
        assert upload is not None, "an entry that was stored has its upload"
        claims: dict[str, Any] = {"file_size_bytes": order.packed.reading.archive_bytes}
        claims |= {"etag": entry.etag} if entry.etag else {}
        takes_record = "record" in upload.accepts
        if takes_record:
            claims["record"] = record_document(order.record.read_bytes())
        with self._reporter.phase("confirm") as phase:
            confirmation = self._judged(order.packed, upload.upload_id, claims, repeat=takes_record)
            phase.result = confirmation.validation_status or "accepted"
        return confirmation, takes_record

    def _judged(
        self, packed: PackedPlugin, upload_id: str, claims: dict[str, Any], *, repeat: bool
    ) -> Confirmation:
        """The server's judgement, waited for; ``repeat`` where confirming twice is confirming once."""
        looks = _Looks(self._waiting)
        while True:
            try:
                confirmation = self._platform.confirm(upload_id, claims, repeat=repeat)
            except ServerUnavailable:
                # It may have been done before the connection broke: only the server knows.
                found = self._found_afterwards(packed)
                if found is None:
                    raise
                confirmation = found
            except (NotThere, PluginRefused) as reason:
                # A refusal is believed, unless the server names these very bytes as what it has.
                found = self._found_afterwards(packed, by_digest=isinstance(reason, PluginRefused))
                if found is None:
                    raise _StartAnew(reason) from reason
                confirmation = found
            if confirmation.refused:
                self._journal.forget(self._place(packed))
                raise _refused(confirmation)
            if not confirmation.pending:
                return confirmation
            if not repeat:
                return self._watched(packed, confirmation)
            looks.wait("the server still verifies the plugin", upload_id)

    def _watched(self, packed: PackedPlugin, confirmation: Confirmation) -> Confirmation:
        """Look at the plugin until the server has judged it, where the documented endpoints are all there is.

        A status that the API does not document is no judgement: it is waited on like ``pending``.
        """
        looks = _Looks(self._waiting)
        found = confirmation.plugin_id or plugin_id(packed)
        while True:
            try:
                status = self._platform.plugin(found).validation_status
            except NotThere:
                status = "pending"
            if status == "failed":
                self._journal.forget(self._place(packed))
                raise _refused(confirmation)
            if status == "passed":
                return confirmation.model_copy(update={"validation_status": status, "plugin_id": found})
            looks.wait("the server still validates the plugin", found)

    def _found_afterwards(self, packed: PackedPlugin, *, by_digest: bool = False) -> Confirmation | None:
        """What became of a confirmation whose answer was lost; a status that is no judgement is still pending.

        A server with the documented fields names no digest: ``by_digest`` says that its word is then not enough.
        """
        try:
            plugin = self._platform.plugin(plugin_id(packed))
        except (NotThere, ServerRefused, ServerUnavailable):
            return None
        digests = {packed.reading.archive_sha256, packed.reading.tar_sha256}
        told = _digests(plugin)
        if not told & digests and (by_digest or plugin.archive_sha256 is not None):
            return None
        status = plugin.validation_status or "pending"
        return Confirmation(plugin_id=plugin.plugin_id, validation_status=status, feature_uri=plugin.feature_uri)

    def _deployed(self, order: PublishOrder, published: Published) -> Published:
        batch_only = not any(member.name == "realtime.py" for member in order.packed.reading.members)
        with self._reporter.phase("deploy") as phase:
            try:
                deployment = self._platform.deploy(published.plugin_id, batch_only=batch_only)
            except ServerRefused as refusal:
                raise _not_deployed(published, refusal) from refusal
            phase.result = deployment.status
        published = replace(published, deployment=deployment)
        if not order.wait or deployment.status in {"deployed", "batch_only"}:
            return published
        with self._reporter.phase("status") as phase:
            teller = Teller(self._reporter, phase)
            status = wait_for_deployment(self._platform, published.plugin_id, self._waiting, teller)
            phase.result = status.status
        return replace(published, status=status)

    def _place(self, packed: PackedPlugin) -> Place:
        base = self._platform.transport.connection.base_url
        return Place(base, self._platform.namespace, packed.name, packed.version)


class _StartAnew(Exception):
    """An upload that was begun cannot be finished; a new one can."""

    def __init__(self, error: MixpeekError) -> None:
        super().__init__(str(error))
        self.error = error


class _Looks:
    """Waits between two looks, longer each time, and gives up when the time is over."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._ends = time.monotonic() + waiting.timeout
        self._step = waiting.first

    def wait(self, what: str, where: str, otherwise: str = "") -> None:
        """Sleep until the next look. Raises ``StillUnderWay``; ``otherwise`` is a command that goes on as well."""
        if time.monotonic() + self._step > self._ends:
            command = f", or `{otherwise}`" if otherwise else ""
            remedy = f"run the same command again{command}: nothing is lost"
            raise StillUnderWay(f"after {self._waiting.timeout:g} s {what}", where=where, remedy=remedy)
        self._waiting.sleep(self._step)
        self._step = min(self._waiting.longest, self._step * 1.5)


class Teller:
    """Tells how a deployment stands: at once on a terminal, and as a line of its own what lasts."""

    def __init__(self, reporter: Reporter, phase: Phase) -> None:
        self._reporter = reporter
        self._phase = phase
        self._last = self._said = ""

    def tell(self, what: str) -> None:
        """Take what one look found."""
        self._phase.advance(what)
        if what == self._last != self._said:
            self._reporter.say(f"  ...  {self._phase.name}: {what}")
            self._said = what
        self._last = what


def wait_for_deployment(platform: Platform, plugin: str, waiting: Waiting, teller: Teller) -> DeploymentStatus:
    """Look until a deployment has ended well; ``teller`` hears of every look.

    Raises ``DeploymentFailed`` with the reason, also for what was never deployed or is not any more, and
    ``StillUnderWay``.
    """
    looks = _Looks(waiting)
    while True:
        status = platform.status(plugin)
        if status.status == "failed":
            raise DeploymentFailed(
                f"the deployment failed: {status.error or status.message or 'the server gives no reason'}",
                where=plugin,
                remedy=NEXT_VERSION,
            )
        if status.status == "not_deployed":
            reason = status.error or status.message or "the server says so, without a reason"
            anew = NEXT_VERSION if status.stopped else f"`mixpeek plugin deploy {plugin}` asks anew"
            raise DeploymentFailed(
                f"published, but not deployed: {reason}",
                where=plugin,
                remedy=f"`mixpeek plugin show {plugin}` tells more; {anew}",
            )
        if status.ended:
            return status
        stands = f"{status.status}: {status.message}" if status.message else status.status
        teller.tell(stands)
        looks.wait(f"the deployment is still {stands}", plugin, f"mixpeek plugin status {plugin} --wait")


def plugin_id(packed: PackedPlugin) -> str:
    """The id that the platform gives: name and version, dots as underscores."""
    return f"{packed.name}_{packed.version.replace('.', '_')}"


def _refused(confirmation: Confirmation) -> PluginRefused:
    reasons = list(confirmation.reasons) or [Reason(str(text)) for text in confirmation.validation_errors]
    if not reasons and confirmation.message:
        reasons = [Reason(confirmation.message)]
    where = confirmation.upload_id or confirmation.plugin_id or "confirm"
    return PluginRefused("the server refuses the plugin", where=where, remedy=remedy_for(reasons), reasons=reasons)


def _not_deployed(published: Published, refusal: ServerRefused) -> DeploymentFailed:
    # What was refused as such is not deployed later either: the next version is, when it is published.
    final = isinstance(refusal, DeploymentRefused)
    then = "" if final else f"; then `mixpeek plugin deploy {published.plugin_id}`"
    return DeploymentFailed(
        f"published, but not deployed: {refusal.message}",
        where=published.plugin_id,
        remedy=f"{refusal.remedy}{then}",
    )


def _digests(plugin: Plugin) -> set[str]:
    told = (plugin.archive_sha256, plugin.tar_sha256, plugin.code_hash)
    return {digest for digest in told if digest}


def _rate(size: int, seconds: float) -> str:
    return f" ({shown_bytes(size / seconds)}/s)" if seconds > 0.01 else ""


def _now() -> datetime:
    return datetime.now(timezone.utc)
