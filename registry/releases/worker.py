"""Takes uploads from state to state until they are published or refused; takes up what a crash left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.orm import Session

from registry.database.connection import Database
from registry.database.models import Upload, now
from registry.errors import Refusal
from registry.log import Event, append
from registry.releases.claims import WorkClaims
from registry.releases.publishing import publish
from registry.releases.refused import Reason, Refused
from registry.releases.states import WORKING, State, following
from registry.releases.steps import Verifier, Work
from registry.releases.sweeping import sweep
from registry.settings import Limits
from registry.storage import StorageFault

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 2.0
_SWEEP_SECONDS = 600.0
_LONGEST_PAUSE = timedelta(minutes=5)

Watcher = Callable[[str, State], None]
"""Hears of every change of state just after it was kept."""


@dataclass(frozen=True)
class Bench:
    """What a worker works with; temporary files go below ``scratch``."""

    database: Database
    verifier: Verifier
    limits: Limits
    scratch: Path


class Worker:
    """Threads that verify. ``wake`` makes them look at once; they look by themselves every two seconds."""

    def __init__(self, bench: Bench, watcher: Watcher = lambda _upload, _state: None, threads: int = 2) -> None:
        self._bench = bench
        self._claims = WorkClaims(bench.database)
        self._watcher = watcher
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        self._threads = [
            threading.Thread(target=self._run, name=f"verification-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Finish the steps under way and stop."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            thread.join(30)

    def wake(self) -> None:
        """Say that there may be work."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, upload_id: str, seconds: float) -> Upload:
        """The upload when it has ended, or as it stands after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            with self._bench.database.read() as session:
                upload = session.get(Upload, upload_id)
            assert upload is not None
            left = deadline - time.monotonic()
            if State(upload.state) not in WORKING or upload.problem is not None or left <= 0:
                return upload
            with self._changed:
                self._changed.wait(min(left, 0.1))

    def work_off(self) -> None:
        """Do everything that can be done now, in this thread."""
        while not self._stop.is_set() and any(self._take(upload_id) for upload_id in self._waiting()):
            pass

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.work_off()
                self._sweep()
            except (Refusal, StorageFault):
                pass  # the database or the store is away; it is asked again soon
            except Exception:  # noqa: BLE001 - the thread must live on for the next upload
                _LOG.exception("the verification of an upload broke off")
            with self._changed:
                self._changed.wait(_IDLE_SECONDS)

    def _sweep(self) -> None:
        with self._changed:
            due = time.monotonic() >= self._sweep_at
            if due:
                self._sweep_at = time.monotonic() + _SWEEP_SECONDS
        if due:
            sweep(self._bench.database, self._bench.verifier.storage)

    def _waiting(self) -> list[str]:
        query = (
            select(Upload.upload_id)
            .where(Upload.state.in_([state.value for state in WORKING]))
            .where(or_(Upload.retry_at.is_(None), Upload.retry_at <= now()))
            .order_by(Upload.confirmed_at)
            .limit(20)
        )
        with self._bench.database.read() as session:
            waiting = list(session.scalars(query))
        return [upload_id for upload_id in waiting if not self._claims.held(upload_id)]

    def _take(self, upload_id: str) -> bool:
        """Bring an upload as far as it goes; whether it was ours to bring."""
        with self._claims.claim(upload_id) as ours:
            if not ours:
                return False
            with TemporaryDirectory(prefix="verify-", dir=self._bench.scratch) as folder:
                work: Work | None = None
                while not self._stop.is_set():
                    with self._bench.database.read() as session:
                        upload = session.get(Upload, upload_id)
                    if upload is None or State(upload.state) not in WORKING:
                        break
                    work = work or _work(upload, Path(folder))
                    if not self._advance(upload, work):
                        break
                    with self._changed:
                        self._changed.notify_all()
        self.wake()
        return True

    def _advance(self, upload: Upload, work: Work) -> bool:
        """One step and the change of state that it earns; whether another may follow at once."""
        state = State(upload.state)
        try:
            if state is State.PROVED:
                self._publish(upload)
            else:
                found = self._bench.verifier.run(state, work)
                work.results = {**work.results, **found}
                self._change(upload, following(state), {"results": work.results}, {})
        except Refused as refused:
            self._refuse(upload, work, refused)
        except (StorageFault, OSError, Refusal, MemoryError) as reason:
            return self._postpone(upload, f"{reason}"[:500])
        except Exception as bug:  # noqa: BLE001 - a bug of ours must not publish anything
            # Fail closed: what cannot be judged is not published. A few tries, for what was a passing trouble.
            _LOG.exception("step %s of %s failed", state.value, upload.upload_id)
            if upload.attempts + 1 < self._bench.limits.confirm_attempts:
                return self._postpone(upload, f"a fault of the registry: {type(bug).__name__}")
            message = f"the registry could not judge it ({type(bug).__name__} at {state.value}); tell its operator"
            self._refuse(upload, work, Refused([Reason("registry.fault", message)]))
        return True

    def _publish(self, upload: Upload) -> None:
        with self._bench.database.write() as session:
            if not self._moved(session, upload, State.PUBLISHED, {}):
                return
            plugin_id = publish(session, upload, self._bench.limits)
            session.execute(
                update(Upload)
                .where(Upload.upload_id == upload.upload_id)
                .values(plugin_id=plugin_id, problem=None)
            )
        self._watcher(upload.upload_id, State.PUBLISHED)

    def _refuse(self, upload: Upload, work: Work, refused: Refused) -> None:
        reasons = [reason.to_json() for reason in refused.reasons[:200]]
        problem = {"reasons": reasons, "texts": [reason.text for reason in refused.reasons[:200]]}
        results = {**work.results, **refused.results}
        changes = {"problem": problem, "results": results}
        body = {"rules": sorted({reason.rule for reason in refused.reasons})}
        self._change(upload, State.REFUSED, changes, body)

    def _postpone(self, upload: Upload, why: str) -> bool:
        """Try the same step later: nothing of it is the publisher's fault, so nothing is lost."""
        pause = min(timedelta(seconds=2.0 ** min(upload.attempts + 1, 9)), _LONGEST_PAUSE)
        values = {"attempts": upload.attempts + 1, "retry_at": now() + pause, "problem": {"waiting": why}}
        with self._bench.database.write() as session:
            session.execute(
                update(Upload)
                .where(Upload.upload_id == upload.upload_id, Upload.state == upload.state)
                .values(**values)
            )
        return False

    def _change(self, upload: Upload, state: State, values: dict[str, Any], body: dict[str, Any]) -> None:
        values = {"problem": None, "attempts": 0, "retry_at": None, **values}
        with self._bench.database.write() as session:
            if self._moved(session, upload, state, values):
                append(session, Event(f"upload.{state.value}", upload.namespace_id, upload.upload_id, body))
        self._watcher(upload.upload_id, state)

    @staticmethod
    def _moved(session: Session, upload: Upload, state: State, values: dict[str, Any]) -> bool:
        """Whether it was us who changed the state: of two who did the same step, one does."""
        query = (
            update(Upload)
            .where(Upload.upload_id == upload.upload_id, Upload.state == upload.state)
            .values(state=state.value, **values)
        )
        return cast("CursorResult[Any]", session.execute(query)).rowcount == 1


def _work(upload: Upload, folder: Path) -> Work:
    return Work(
        upload_id=upload.upload_id,
        name=upload.name,
        version=upload.version,
        object_key=upload.object_key,
        expected_bytes=upload.expected_bytes,
        expected_sha256=upload.expected_sha256,
        claims=upload.claims or {},
        results=dict(upload.results),
        folder=folder,
    )
