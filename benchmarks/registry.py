"""Lists and pages of a registry with 10,000 plugins: ``python -m benchmarks.registry [--plugins N]``.

Prints milliseconds of one request over HTTP on loopback, connection kept, for the first page, a page in the middle
and one plugin; the target for each is 50 ms. SQLite, as the embedded registry keeps it.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import uvicorn

from registry.access import Role
from registry.api.app import create_app
from registry.assembly import Registry, open_registry
from registry.database.models import Evidence, Release, Upload, now
from registry.settings import Limits, RegistrySettings

_NAMESPACE = "ns_bench"
_PORT = 8461
_REPEATS = 60
_TARGET_MS = 50


def main() -> None:
    """Fill a registry, ask it, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=10_000)
    count = parser.parse_args().plugins
    limits = Limits(requests_per_minute=1_000_000, burst=100_000)
    with TemporaryDirectory() as folder:
        settings = RegistrySettings(Path(folder), f"http://127.0.0.1:{_PORT}", limits=limits)
        with open_registry(settings) as registry:
            _fill(registry, count)
            key = registry.keys.create("benchmark", Role.PUBLISHER, [_NAMESPACE])[1]
            config = uvicorn.Config(create_app(registry), port=_PORT, log_level="warning")
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                while not server.started:
                    time.sleep(0.02)
                _measure(key, count)
            finally:
                server.should_exit = True
                thread.join()


def _measure(key: str, count: int) -> None:
    base = f"http://127.0.0.1:{_PORT}/v1/namespaces/{_NAMESPACE}"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        cursor = client.get("/plugins", params={"limit": min(1_000, count // 2)}).json()["next_cursor"]
        calls: dict[str, Callable[[], httpx.Response]] = {
            "first page of 100": lambda: client.get("/plugins"),
            "page from the middle": lambda: client.get("/plugins", params={"cursor": cursor}),
            "one plugin": lambda: client.get(f"/plugins/plugin_{count // 2}_1_0_0"),
        }
        print(f"{count} plugins in one namespace, {_REPEATS} requests each, interleaved (ms; target {_TARGET_MS})")
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(_REPEATS):
            for name, call in calls.items():
                began = time.perf_counter()
                answer = call()
                times[name].append((time.perf_counter() - began) * 1_000)
                answer.raise_for_status()
        for name, taken in times.items():
            taken.sort()
            median, high = statistics.median(taken), taken[int(len(taken) * 0.95)]
            print(f"  {name:<22} median {median:6.1f}  95% {high:6.1f}")


def _fill(registry: Registry, count: int) -> None:
    moment = now()
    scan = {"passed": True, "findings": [], "inventory": [], "rules": {"sha256": "0" * 64}}
    with registry.database.write() as session:
        for number in range(count):
            at = moment - timedelta(seconds=count - number)
            name, digest = f"plugin_{number}", f"{number:064x}"
            shared = {"namespace_id": _NAMESPACE, "name": name, "version": "1.0.0", "description": "One of many."}
            upload = Upload(
                **shared, upload_id=f"plu_{number:032x}", object_key=digest, publisher="key_x", created_at=at,
                expires_at=at, state="published", attempts=0, results={},
            )  # fmt: skip
            release = Release(
                **shared, release_id=f"rel_{number:032x}", plugin_id=f"{name}_1_0_0", identity=f"{name}_1_0_0",
                upload_id=upload.upload_id, publisher="key_x", archive_key=digest, archive_sha256=digest,
                archive_bytes=1_000, tar_sha256=digest, manifest={}, review="pending", deployed=False,
                created_at=at, updated_at=at,
            )  # fmt: skip
            evidence = Evidence(release_id=release.release_id, facts=[], scan=scan, files=[])
            session.add(upload)
            session.flush()
            session.add(release)
            session.flush()
            session.add(evidence)


if __name__ == "__main__":
    main()
