"""What has to work: walls that break honest plugins get taken down."""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.guest.probes.model import ABSENT, Probe

_TRUE = "/bin/true"


def _temporary_files() -> None:
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"text")
        file.flush()
        copy = shutil.copy2(file.name, Path(folder) / "copy")  # with modes, times and extended attributes
        assert Path(copy).read_bytes() == b"text"
        os.replace(copy, Path(folder) / "moved")
        os.symlink("moved", Path(folder) / "link")
        shutil.make_archive(str(Path(folder) / "packed"), "gztar", folder, "moved")


def _map_file() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(mmap.PAGESIZE))
        file.flush()
        with mmap.mmap(file.fileno(), 0) as view:
            view[:4] = b"text"
            view.flush()
        file.seek(0)
        assert file.read(4) == b"text"


def _threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(abs, range(-100, 0))) == 5050


def _processes(method: str) -> Callable[[], str | None]:
    """``time.sleep`` and not a function of ours: a new interpreter finds that by itself."""

    def attempt() -> str | None:
        import multiprocessing

        context: Any = multiprocessing.get_context(method)
        process = context.Process(target=time.sleep, args=(0,))
        process.start()
        process.join(20)
        return f"a process that ended with status {process.exitcode}" if process.exitcode else None

    return attempt


def _locks() -> None:
    import multiprocessing
    from multiprocessing import shared_memory

    context = multiprocessing.get_context("fork")
    with context.Lock(), context.Semaphore(2):
        pass
    memory = shared_memory.SharedMemory(create=True, size=4096)
    assert memory.buf is not None
    memory.buf[:4] = b"text"
    memory.close()
    memory.unlink()


def _queue() -> None:
    import multiprocessing

    queue: Any = multiprocessing.get_context("fork").Queue()
    queue.put({"a": 1})
    assert queue.get(timeout=10) == {"a": 1}
    queue.close()
    queue.join_thread()


def _pool() -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert sum(pool.map(abs, range(-10, 0))) == 55


def _program() -> None:
    assert subprocess.run([_TRUE], check=True, timeout=20).returncode == 0
    assert subprocess.run(["sh", "-c", "echo $((1 + 1))"], check=True, capture_output=True).stdout == b"2\n"


def _memory_program() -> None:
    descriptor = os.memfd_create("program")
    os.write(descriptor, Path(_TRUE).read_bytes())
    child = os.fork()
    if child == 0:
        try:
            os.execve(f"/proc/self/fd/{descriptor}", ["true"], {})
        except OSError as reason:
            os._exit(reason.errno or 255)
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise OSError(code, os.strerror(code))


def _event_loop() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(None, abs, -1) == 1
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"text")
        assert await reader.readexactly(4) == b"text"
        writer.close()

    async def serve() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(4))
            writer.close()

        async with await asyncio.start_unix_server(echo, path):
            await main()

    path = str(Path(tempfile.mkdtemp()) / "socket")
    asyncio.run(serve())


def _event_loop_program() -> None:
    async def main() -> int | None:
        process = await asyncio.create_subprocess_exec(_TRUE)
        return await process.wait()

    assert asyncio.run(main()) == 0


def _database() -> None:
    import sqlite3

    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "db")
        database.execute("pragma journal_mode = wal")
        database.execute("create table t (a)")
        database.execute("insert into t values (1)")
        database.commit()
        assert database.execute("select a from t").fetchall() == [(1,)]
        database.close()


def _tls() -> None:
    import ssl

    ssl.create_default_context()


def _time_zone() -> None:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    assert datetime(2024, 7, 1, tzinfo=ZoneInfo("Europe/Berlin")).utcoffset()


def _identifiers() -> None:
    import secrets
    import uuid

    assert len({uuid.uuid4(), uuid.uuid1(), uuid.UUID(bytes=secrets.token_bytes(16))}) == 3


def _timer() -> None:
    rung: list[bool] = []  # no Event: its lock may be held by the very thread that the handler interrupts
    signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    deadline = time.monotonic() + 10
    while not rung and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rung


def _compression() -> None:
    import bz2
    import lzma
    import zlib

    for codec in (bz2, lzma, zlib):
        assert codec.decompress(codec.compress(b"text")) == b"text"


def _native_calls() -> None:
    assert ctypes.CDLL(None).getpid() == os.getpid()


def _machine() -> None:
    import platform

    assert platform.platform()
    assert os.cpu_count()
    assert os.sched_getaffinity(0)
    assert sys.getrefcount(None)
    os.times()
    os.getloadavg()
    shutil.disk_usage("/tmp")


def _own_limits() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))


def _blas() -> None:
    import numpy

    square = numpy.random.default_rng(0).random((600, 600))
    assert numpy.allclose(numpy.linalg.inv(square) @ square, numpy.eye(600), atol=1e-6)
    numpy.linalg.svd(square[:200, :200])


def _blas_in_threads() -> None:
    import numpy

    def work() -> None:
        numpy.ones((300, 300)) @ numpy.ones((300, 300))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _mapped_array() -> None:
    import numpy

    with tempfile.TemporaryDirectory() as folder:
        numpy.save(Path(folder) / "a.npy", numpy.arange(1000))
        view = numpy.load(Path(folder) / "a.npy", mmap_mode="r+")
        assert int(view.sum()) == 499_500


def _frames() -> None:
    import pandas

    frame = pandas.DataFrame({"key": ["a", "b"] * 500, "value": range(1000)})
    assert frame.groupby("key")["value"].sum().tolist() == [249_500, 250_000]
    with tempfile.TemporaryDirectory() as folder:
        frame.to_csv(Path(folder) / "f.csv", index=False)
        assert len(pandas.read_csv(Path(folder) / "f.csv")) == 1000
        frame.to_parquet(Path(folder) / "f.parquet")
        assert len(pandas.read_parquet(Path(folder) / "f.parquet")) == 1000


def _mapped_input() -> None:
    """An input as the data path hands it over: an Arrow file that is mapped, not read."""
    import pyarrow

    table = pyarrow.table({"value": list(range(10_000))})
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "input.arrow")
        with pyarrow.OSFile(path, "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        with pyarrow.memory_map(path) as source:
            assert pyarrow.ipc.open_file(source).read_all().num_rows == 10_000


def _arrow_threads() -> None:
    import pyarrow
    import pyarrow.compute

    table = pyarrow.table({"key": [1, 2] * 5000, "value": list(range(10_000))})
    assert table.group_by("key").aggregate([("value", "sum")]).num_rows == 2
    assert pyarrow.compute.sum(table["value"]).as_py() == 49_995_000


def _tensors() -> None:
    import torch

    weights = torch.ones(64, 64, requires_grad=True)
    (weights @ weights).sum().backward()
    assert float(weights.grad[0, 0]) == 128
    with tempfile.TemporaryDirectory() as folder:
        torch.save({"weights": weights.detach()}, Path(folder) / "w.pt")
        loaded = torch.load(Path(folder) / "w.pt", mmap=True, weights_only=True)
        assert loaded["weights"].sum() == 4096


def _tensors_from_processes() -> None:
    import torch
    from torch.utils.data import DataLoader

    batches = list(DataLoader(torch.arange(64).split(1), batch_size=16, num_workers=2))
    assert int(torch.cat(batches).sum()) == 2016


def _inference() -> None:
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(_onnx_square(), options, providers=["CPUExecutionProvider"])
    (product,) = session.run(None, {"x": numpy.eye(2, dtype=numpy.float32) * 3})
    assert product.tolist() == [[9, 0], [0, 9]]


def _onnx_square() -> bytes:
    """A model that multiplies a 2x2 matrix with itself, as protocol buffers write it (onnx.proto3)."""

    def field(number: int, value: int | bytes) -> bytes:
        if isinstance(value, int):
            return bytes([number << 3, value])
        return bytes([number << 3 | 2, len(value)]) + value

    two = field(1, field(1, 2))
    matrix = field(1, field(1, 1) + field(2, two + two))  # a tensor of float32
    node = field(1, b"x") + field(1, b"x") + field(2, b"y") + field(4, b"MatMul")
    inputs, outputs = (
        field(number, field(1, name) + field(2, matrix)) for number, name in ((11, b"x"), (12, b"y"))
    )
    graph = field(1, node) + field(2, b"square") + inputs + outputs
    return field(1, 8) + field(8, field(2, 13)) + field(7, graph)


def _models() -> None:
    import pydantic

    assert pydantic.create_model("Row", text=(str, ...))(text="x").model_dump() == {"text": "x"}


def _works(name: str, what: str, why: str, attempt: Callable[[], str | None], package: str | None = None) -> Probe:
    return Probe(f"works.{name}", "what has to work", what, ("works",), why, attempt, package)


def _works_where_installed(name: str, what: str, why: str, attempt: Callable[[], None], package: str) -> Probe:
    """As ``_works``, of a package that only a plugin's own image has."""
    return Probe(f"works.{name}", "what has to work", what, ("works", ABSENT), why, attempt, package)


WORKS: tuple[Probe, ...] = (
    _works("temporary-files", "temporary files, copies, links, archives", "libraries unpack and cache",
           _temporary_files),
    _works("mapped-file", "a mapped file", "large data is mapped", _map_file),
    _works("threads", "a pool of threads", "every library has one", _threads),
    _works("fork", "multiprocessing by fork", "data loaders", _processes("fork")),
    _works("locks", "locks and shared memory of multiprocessing", "data loaders", _locks),
    _works("queue", "a queue of multiprocessing", "data loaders", _queue),
    _works("pool", "a pool of processes", "data loaders", _pool),
    _works("spawn", "multiprocessing by spawn", "CUDA needs it", _processes("spawn")),
    _works("program", "a program of the image", "ffmpeg and its like", _program),
    _works("event-loop-program", "a program started by asyncio", "ffmpeg and its like", _event_loop_program),
    _works("memory-program", "a program from anonymous memory", "no wall: what it runs is under the same filter",
           _memory_program),
    _works("event-loop", "asyncio with a server on a unix socket", "asynchronous clients", _event_loop),
    _works("database", "sqlite with a write-ahead log", "caches of models and tokenizers", _database),
    _works("tls", "a TLS context", "clients make one on import", _tls),
    _works("identifiers", "uuid and secrets", "every row may want one", _identifiers),
    _works("timer", "an interval timer", "time limits of tests", _timer),
    _works("compression", "compression of the standard library", "archives of models", _compression),
    _works("native-calls", "ctypes", "native libraries are loaded by it", _native_calls),
    _works("machine", "questions about the machine", "libraries choose thread counts by them", _machine),
    _works("own-limits", "lowering one's own limits", "servers and libraries do", _own_limits),
    _works("time-zone", "a time zone by name", "dates in data", _time_zone, "tzdata"),
    _works("numpy", "numpy's linear algebra", "nearly every plugin", _blas, "numpy"),
    _works("numpy-threads", "numpy in several threads", "nearly every plugin", _blas_in_threads, "numpy"),
    _works("numpy-mapped", "a mapped array", "weights are mapped", _mapped_array, "numpy"),
    _works("pandas", "pandas with CSV and Parquet files", "nearly every plugin", _frames, "pandas"),
    _works("arrow-mapped", "a mapped Arrow file", "how batches come in", _mapped_input, "pyarrow"),
    _works("arrow-threads", "pyarrow's own threads", "group-by and scans", _arrow_threads, "pyarrow"),
    _works("pydantic", "a pydantic model", "schemas", _models, "pydantic"),
    _works_where_installed("torch", "torch: gradients, threads, mapped weights", "models", _tensors, "torch"),
    _works_where_installed("torch-workers", "torch's data loader with processes", "models",
                           _tensors_from_processes, "torch"),
    _works_where_installed("onnxruntime", "onnxruntime with its threads", "models", _inference, "onnxruntime"),
)  # fmt: skip
