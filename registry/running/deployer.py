"""Takes deployments from queued to deployed or failed, and holds what runs."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import select, update

from registry.database.connection import Database
from registry.database.models import Deployment, Release, now
from registry.errors import Refusal, conflict, unavailable
from registry.log import Event, append
from registry.releases.claims import WorkClaims
from registry.running.images import EngineFactory, Runnable, fetch_runnable
from registry.running.realtime import RealtimeService
from registry.storage import Storage, StorageFault
from toolchain.core.errors import MixpeekError

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 2.0


class Deployer:
    """One thread that builds and starts. ``service`` gives what answers a release's calls."""

    def __init__(
        self, database: Database, storage: Storage, engine: EngineFactory, scratch: Path, *, approval: bool
    ) -> None:
        self._database, self._storage, self._engine = database, storage, engine
        self._scratch, self._approval = scratch, approval
        self._claims = WorkClaims(database)
        self._services: dict[str, RealtimeService] = {}
        self._lock = threading.Lock()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="deployer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be work."""
        self._wake.set()

    def close(self) -> None:
        """Stop, and remove every sandbox."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(60)
        with self._lock:
            services, self._services = list(self._services.values()), {}
        for service in services:
            service.close()

    def service(self, release: Release) -> RealtimeService:
        """What answers for a deployed release; after a restart it is made at the first call."""
        with self._lock:
            service = self._services.get(release.release_id)
        if service is not None:
            return service
        with self._claims.claim(f"service {release.release_id}") as ours:
            if not ours:
                raise Refusal(503, "starting", "the deployment is starting; call again", {}, {"Retry-After": "2"})
            try:
                return self._keep(release.release_id, self._service_of(release)[1])
            except MixpeekError as reason:
                raise unavailable(f"the deployment cannot be started again: {reason.message}") from None

    def drop(self, release_id: str) -> None:
        """End what runs for a release."""
        with self._lock:
            service = self._services.pop(release_id, None)
        if service is not None:
            service.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work_off()
            except Refusal:
                pass  # the database is away; it is asked again soon
            except Exception:  # noqa: BLE001 - the thread must live on for the next deployment
                _LOG.exception("a deployment broke off")
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()

    def _work_off(self) -> None:
        self._drop_ended()
        query = select(Deployment).where(Deployment.status.in_(["QUEUED", "IN_PROGRESS"]))
        with self._database.read() as session:
            waiting = list(session.scalars(query.order_by(Deployment.queued_at).limit(20)))
        for deployment in waiting:
            if not self._stop.is_set():
                with self._claims.claim(f"deploy {deployment.release_id}") as ours:
                    if ours:
                        self._deploy(deployment.release_id)

    def _drop_ended(self) -> None:
        """What was deleted, rejected or quarantined, perhaps by way of another server, ends here too."""
        with self._lock:
            running = list(self._services)
        if not running:
            return
        query = select(Deployment.release_id).where(
            Deployment.release_id.in_(running), Deployment.status == "DEPLOYED"
        )
        with self._database.read() as session:
            live = set(session.scalars(query))
        for release_id in set(running) - live:
            self.drop(release_id)

    def _deploy(self, release_id: str) -> None:
        with self._database.read() as session:
            release = session.get_one(Release, release_id)
        if release.review in {"rejected", "quarantined"}:
            self._end(release, "FAILED", {}, f"a reviewer has {release.review} this release")
            return
        if self._approval and release.review != "approved":
            return  # it stays queued; the decision wakes us
        self._move(release, "IN_PROGRESS")
        try:
            runnable, service = self._service_of(release)
        except (MixpeekError, Refusal, StorageFault) as reason:
            self._end(release, "FAILED", {}, _told(reason))
            return
        except Exception as bug:  # noqa: BLE001 - whoever waits must learn that it failed
            _LOG.exception("the deployment of %s failed", release.plugin_id)
            self._end(release, "FAILED", {}, f"a fault of the registry: {type(bug).__name__}")
            return
        self._keep(release_id, service)
        if not self._end(release, "DEPLOYED", {"image": runnable.described}, None):
            self.drop(release_id)

    def _service_of(self, release: Release) -> tuple[Runnable, RealtimeService]:
        engine = self._engine()
        try:
            with TemporaryDirectory(prefix="deploy-", dir=self._scratch) as folder:
                runnable = fetch_runnable(self._storage, release, Path(folder), engine)
            if not runnable.has_realtime:
                raise conflict("the plugin has no realtime.py; deploy it with deployment_type=batch_only")
            service = RealtimeService(engine, runnable)
            try:
                service.warm()
                if runnable.sample is not None:
                    service.probe(runnable.sample)
            except BaseException:
                service.close()
                raise
        except BaseException:
            with suppress(Exception):
                engine.close()
            raise
        return runnable, service

    def _keep(self, release_id: str, service: RealtimeService) -> RealtimeService:
        """Hold a service until it is dropped; one that came up while we stop, or a second one, must not stay."""
        with self._lock:
            stopping = self._stop.is_set()
            superfluous = service if stopping else self._services.get(release_id)
            if not stopping:
                self._services[release_id] = service
        if superfluous is not None:
            superfluous.close()
        if stopping:
            raise unavailable("the registry is stopping; call again")
        return service

    def _move(self, release: Release, status: str) -> None:
        with self._database.write() as session:
            session.execute(
                update(Deployment)
                .where(Deployment.release_id == release.release_id, Deployment.status == "QUEUED")
                .values(status=status, changed_at=now())
            )

    def _end(self, release: Release, status: str, facts: dict[str, Any], problem: str | None) -> bool:
        """Note the end, unless the deployment was called off meanwhile; whether it was noted."""
        with self._database.write() as session:
            deployment = session.get(Deployment, release.release_id, with_for_update=True)
            if deployment is None or deployment.status not in {"QUEUED", "IN_PROGRESS"}:
                return False
            deployment.status, deployment.changed_at, deployment.problem = status, now(), problem
            deployment.facts = facts
            session.execute(
                update(Release)
                .where(Release.release_id == release.release_id)
                .values(deployed=status == "DEPLOYED", updated_at=now())
            )
            kind = f"deployment.{status.lower()}"
            append(session, Event(kind, release.namespace_id, release.plugin_id, {"reason": problem}))
        return True


def _told(reason: Exception) -> str:
    if isinstance(reason, MixpeekError):
        place = f"{reason.where}: " if reason.where else ""
        return f"{place}{reason.message}; {reason.remedy}"[:2_000]
    return (reason.message if isinstance(reason, Refusal) else str(reason))[:2_000]
