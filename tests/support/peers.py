"""Real servers for the registry's tests, on loopback ports of their own: PostgreSQL and SeaweedFS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

ACCESS_KEY, SECRET_KEY = "test-access-key", "test-secret-key-of-this-run"
BUCKET = "plugins"
_POSTGRES = Path("/usr/lib/postgresql/15/bin")


def free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Postgres:
    """A running cluster; ``folder`` is its data, ``port`` where it listens."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://registry@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database; its URL."""
        self.psql(f"CREATE DATABASE {database}")
        return self.url(database)

    def psql(self, statement: str) -> None:
        """Run one statement as the superuser."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="registry", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def stop(self) -> None:
        """Stop at once, as a power cut would."""
        _as_other("pg_ctl", "-D", str(self.folder), "-m", "immediate", "-w", "stop")

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        log = str(self.folder / "log")
        _as_other("pg_ctl", "-D", str(self.folder), "-l", log, "-o", options, "-w", "-t", "60", "start")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A cluster of its own for as long as the context lasts."""
    folder = Path(mkdtemp(prefix="mixpeek-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    cluster = Postgres(folder, free_port())
    try:
        _as_other("initdb", "-D", str(folder), "-U", "registry", "-A", "trust", "-E", "UTF8", "--no-sync")
        cluster.start()
        yield cluster
    finally:
        with suppress(subprocess.CalledProcessError):
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _as_other(program: str, *arguments: str) -> None:
    """PostgreSQL refuses to run as root; Debian's package brings a user for it."""
    argv = [str(_POSTGRES / program), *arguments]
    if os.geteuid() == 0:
        argv = ["runuser", "-u", "postgres", "--", *argv]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120)


@dataclass(frozen=True)
class Seaweed:
    """A running S3; its credentials are this module's."""

    endpoint: str
    process: subprocess.Popen[bytes]


@contextmanager
def seaweed() -> Iterator[Seaweed]:
    """`weed mini` without telemetry, admin page and WebDAV; ready when a write succeeds."""
    folder = Path(mkdtemp(prefix="mixpeek-seaweed-"))
    ports = {name: free_port() for name in ("s3", "master", "filer", "volume", "admin")}
    argv = [
        str(Path(sys.executable).with_name("weed")),
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-admin.ui=false",
        "-webdav=false",
        *(f"-{name}.port={port}" for name, port in ports.items()),
        *(f"-{name}.port.grpc={free_port()}" for name in ports),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, env=environment, cwd=folder, stdout=log, stderr=log)
    peer = Seaweed(f"http://127.0.0.1:{ports['s3']}", process)
    try:
        _wait_until_it_writes(peer, folder)
        yield peer
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_writes(peer: Seaweed, folder: Path) -> None:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=peer.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(connect_timeout=1, read_timeout=2, retries={"max_attempts": 1}),
    )
    deadline = time.monotonic() + 60
    while not _writes(client):
        said = (folder / "log").read_text()[-4000:]
        assert peer.process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.3)
    client.close()


def _writes(client: Any) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key="ready", Body=b"x")
    except (BotoCoreError, ClientError):
        return False
    return True
