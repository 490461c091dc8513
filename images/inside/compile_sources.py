"""Compiles sources that it reads from one file and writes the bytecode to another. Imports and executes none.

Runs as ``python -S -s -P -B -c <this text> <input> <output>``. The input is a run of chunks, each a header of two
unsigned 32-bit numbers (count of sources, bytes) and for each source its path and text, both with a 32-bit length.
The output has the same chunks in the same order: for each source a 32-bit length and the contents of its
``.pyc``, length 0 where it does not compile (Python 2 code and templates are found in wheels).

Each chunk is compiled in a child forked from the same state: the reference flags in bytecode depend on which
strings the process has interned before, so a shared worker's output would vary with the order of its work
(CPython 3.11).
"""

import io
import os
import resource
import signal
import struct
import sys
from importlib import util
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
_NOTHING = _LENGTH.pack(0)
_SECONDS = 600
# More at once would not fit the container's memory; a chunk of honest sources takes 150 MB.
_WIDTH = 8
_MEMORY = 1 << 30
# Constants are folded: 15 kB of source may become 5 MB. What grows so is compiled at each import instead.
_GROWTH = 16
_SMALL = 1 << 20
# What a source that is not ours may raise from the compiler; anything else is a fault of this program.
_UNCOMPILABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


def main(source: Path, target: Path) -> None:
    """Compile all chunks of ``source`` into ``target``, as many at once as there are cores."""
    width = max(1, min(_WIDTH, len(os.sched_getaffinity(0))))
    running: set[int] = set()
    counts: list[int] = []
    with source.open("rb") as stream:
        while header := stream.read(_HEADER.size):
            count, size = _HEADER.unpack(header)
            if len(running) >= width:
                running.discard(_ended())
            running.add(_start(count, stream.read(size), _place(target, len(counts))))
            counts.append(count)
    while running:
        running.discard(_ended())
    with target.open("wb") as output:
        for number, count in enumerate(counts):
            output.write(_result(_place(target, number), count))


def _ended() -> int:
    """Wait for a child. One that was killed had too little memory, which says nothing of its sources."""
    process, status = os.wait()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        raise SystemExit("too little memory to compile the sources: one of them may be made to take it")
    return process


def _place(target: Path, number: int) -> Path:
    return target.with_name(f"chunk.{number}")


def _start(count: int, body: bytes, output: Path) -> int:
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        output.write_bytes(_compile_chunk(count, io.BytesIO(body)))
        status = 0
    finally:
        os._exit(status)


def _compile_chunk(count: int, stream: BinaryIO) -> bytes:
    results = []
    for _ in range(count):
        path = _take(stream).decode()
        bytecode = _compile_one(path, _take(stream))
        results.append(_LENGTH.pack(len(bytecode)) + bytecode)
    return b"".join(results)


def _take(stream: BinaryIO) -> bytes:
    return stream.read(_LENGTH.unpack(stream.read(_LENGTH.size))[0])


def _compile_one(path: str, source: bytes) -> bytes:
    try:
        code = compile(util.decode_source(source), path, "exec", dont_inherit=True, optimize=0)
    except _UNCOMPILABLE:
        return b""
    # Unchecked: the layer is read-only, and a stat for each import costs more than it protects.
    pyc = bytes(_code_to_hash_pyc(code, util.source_hash(source), checked=False))
    return pyc if len(pyc) <= max(_SMALL, _GROWTH * len(source)) else b""


def _result(path: Path, count: int) -> bytes:
    # A child that the parser crashed leaves nothing or a piece: then none of its sources has bytecode.
    data = path.read_bytes() if path.exists() else b""
    position = 0
    for _ in range(count):
        if position + _LENGTH.size > len(data):
            return _NOTHING * count
        position += _LENGTH.size + _LENGTH.unpack_from(data, position)[0]
    return data if position == len(data) else _NOTHING * count


if __name__ == "__main__":
    signal.alarm(_SECONDS)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
