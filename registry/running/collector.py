"""Runs a published plugin over the files of a bucket, in the sandbox, and keeps the features that come back."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import select, update

from registry.database.connection import Database
from registry.database.models import Collection, Release, now
from registry.errors import Refusal
from registry.log import Event, append
from registry.releases.claims import WorkClaims
from registry.running.images import EngineFactory, fetch_runnable
from registry.storage import Storage, StorageFault
from sandbox.batches import Batches
from sandbox.policy import Policy
from toolchain.core.errors import MixpeekError, PluginFault
from toolchain.core.files import read_regular

if TYPE_CHECKING:
    import pyarrow as pa

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS = 2.0
_ROW_FILES = {".ndjson", ".jsonl"}
_TEXT_FILES = {".txt": "text/plain", ".md": "text/markdown", ".html": "text/html", ".csv": "text/csv"}
_FILE_BYTES = 64 << 20
_BUCKET_BYTES = 256 << 20
_BATCH_ROWS = 1_000
_ASIDE_LIMIT = 100


@dataclass(frozen=True)
class Buckets:
    """Folders of this machine by namespace and bucket id, below ``root``: the operator puts files there."""

    root: Path

    def rows(self, namespace: str, bucket_ids: list[str]) -> Iterator[dict[str, Any]]:
        """A row for each line of an NDJSON file and for each text file.

        Raises ``PluginFault`` for what cannot be read, and for more than one run takes.
        """
        total = 0
        for bucket in bucket_ids:
            folder = self.root / namespace / bucket
            if not folder.is_dir() or folder.is_symlink():
                remedy = "ask the registry's operator for the bucket's folder"
                raise PluginFault("there is no such bucket", where=bucket, remedy=remedy)
            known = {*_ROW_FILES, *_TEXT_FILES}
            for name in sorted(path.name for path in folder.iterdir() if path.suffix in known):
                data = read_regular(folder, name, limit=_FILE_BYTES)
                total += len(data)
                if total > _BUCKET_BYTES:
                    remedy = "split the bucket"
                    raise PluginFault("the buckets hold more than one run takes", where=bucket, remedy=remedy)
                yield from self._of_file(f"{bucket}/{name}", data)

    @staticmethod
    def _of_file(name: str, data: bytes) -> Iterator[dict[str, Any]]:
        suffix = Path(name).suffix
        text = data.decode(errors="replace")
        if suffix in _TEXT_FILES:
            yield {"object_id": name, "text": text, "data": text, "mime_type": _TEXT_FILES[suffix]}
            return
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError:
                    row = None
                if not isinstance(row, dict):
                    remedy = "write one JSON object a line"
                    raise PluginFault("the line is no JSON object", where=f"{name}:{number}", remedy=remedy)
                yield {"object_id": f"{name}:{number}", **row}


class Collector:
    """One thread that takes collections from pending to completed or failed."""

    def __init__(
        self, database: Database, storage: Storage, engine: EngineFactory, buckets: Buckets, scratch: Path
    ) -> None:
        self._database, self._storage, self._engine = database, storage, engine
        self._buckets, self._scratch = buckets, scratch
        self._claims = WorkClaims(database)
        self._stop, self._wake = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """Say that there may be work."""
        self._wake.set()

    def close(self) -> None:
        """Stop after the run under way."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(120)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._work_off()
            except Refusal:
                pass  # the database is away; it is asked again soon
            except Exception:  # noqa: BLE001 - the thread must live on for the next collection
                _LOG.exception("a collection broke off")
            self._wake.wait(_IDLE_SECONDS)
            self._wake.clear()

    def _work_off(self) -> None:
        query = select(Collection).where(Collection.status == "PENDING").order_by(Collection.created_at).limit(20)
        with self._database.read() as session:
            waiting = list(session.scalars(query))
        for collection in waiting:
            if not self._stop.is_set():
                with self._claims.claim(f"collection {collection.collection_id}") as ours:
                    if ours:
                        self._collect(collection)

    def _collect(self, collection: Collection) -> None:
        with self._database.read() as session:
            release = session.get_one(Release, collection.release_id)
        try:
            results = self._features(collection, release)
        except (MixpeekError, StorageFault) as reason:
            self._end(collection, "FAILED", {}, str(reason)[:2_000])
        except Exception as bug:  # noqa: BLE001 - whoever waits must learn that it failed
            _LOG.exception("the collection %s failed", collection.collection_id)
            self._end(collection, "FAILED", {}, f"a fault of the registry: {type(bug).__name__}")
        else:
            self._end(collection, "COMPLETED", results, None)

    def _features(self, collection: Collection, release: Release) -> dict[str, Any]:
        table = self._table(collection)
        with TemporaryDirectory(prefix="collect-", dir=self._scratch) as folder, closing(self._engine()) as engine:
            runnable = fetch_runnable(self._storage, release, Path(folder), engine)
            job = runnable.batch_job(collection.request["parameters"])
            file = Path(folder) / "features.ndjson"
            names, rows, aside = list[str](), 0, list[dict[str, Any]]()
            batches = Batches(engine, runnable.image, Policy(), job)
            with file.open("w", encoding="utf-8") as stream, batches:
                for result in batches.run(_slices(table)):
                    aside += [{**vars(one), "row": rows + one.row} for one in result.set_aside]
                    names, rows = result.table.column_names, rows + result.table.num_rows
                    _write(result.table, stream)
                batches.finish()
            key = f"collections/{collection.namespace_id}/{collection.collection_id}/features.ndjson"
            self._storage.keep(key, file)
        facts = {"rows": rows, "columns": names, "set_aside": aside[:_ASIDE_LIMIT], "set_aside_total": len(aside)}
        return {**facts, "key": key, "image": runnable.described}

    def _table(self, collection: Collection) -> pa.Table:
        import pyarrow as pa

        wanted = collection.request["bucket_ids"]
        rows = list(self._buckets.rows(collection.namespace_id, wanted))
        if not rows:
            remedy = "put .ndjson or text files into their folders"
            raise PluginFault("the buckets hold no rows", where=", ".join(wanted), remedy=remedy)
        names = dict.fromkeys(name for row in rows for name in row)
        try:
            return pa.table({name: [row.get(name) for row in rows] for name in names})
        except (pa.ArrowException, ValueError, OverflowError) as reason:
            message, remedy = f"the rows do not fit together: {reason}", "give a field one type in every row"
            raise PluginFault(message, where=", ".join(wanted), remedy=remedy) from None

    def _end(self, collection: Collection, status: str, results: dict[str, Any], problem: str | None) -> None:
        with self._database.write() as session:
            values = {"status": status, "results": results, "problem": problem, "changed_at": now()}
            session.execute(
                update(Collection).where(Collection.collection_id == collection.collection_id).values(**values)
            )
            body = {"reason": problem, "rows": results.get("rows")}
            event = Event(f"collection.{status.lower()}", collection.namespace_id, collection.collection_id, body)
            append(session, event)


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    for start in range(0, table.num_rows, _BATCH_ROWS):
        yield table.slice(start, _BATCH_ROWS)


def _write(table: pa.Table, stream: TextIO) -> None:
    stream.writelines(json.dumps(row, default=str) + "\n" for row in table.to_pylist())
