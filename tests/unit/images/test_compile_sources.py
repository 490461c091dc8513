"""The program inside: bytecode for what compiles, nothing for what does not, and no source is executed."""

import importlib.util
import io
import marshal
import struct
import types

from images.inside import compile_sources as program


def pack(*sources):
    body = b""
    for path, text in sources:
        body += struct.pack("<I", len(path)) + path.encode() + struct.pack("<I", len(text)) + text
    return io.BytesIO(body)


def compiled(*sources):
    data = program._compile_chunk(len(sources), pack(*sources))
    results, position = [], 0
    while position < len(data):
        (size,) = struct.unpack_from("<I", data, position)
        results.append(data[position + 4 : position + 4 + size])
        position += 4 + size
    return results


def test_bytecode_is_unchecked_and_knows_its_source():
    (code,) = compiled(("/opt/x.py", b"x = {1, 2}\n"))
    assert code[:4] == importlib.util.MAGIC_NUMBER
    assert struct.unpack("<I", code[4:8]) == (1,)
    assert code[8:16] == importlib.util.source_hash(b"x = {1, 2}\n")
    loaded = marshal.loads(code[16:])
    assert isinstance(loaded, types.CodeType)
    assert loaded.co_filename == "/opt/x.py"


def test_nothing_is_executed(tmp_path):
    mark = tmp_path / "mark"
    assert compiled(("/x.py", f"open({str(mark)!r}, 'w')\n".encode()))[0]
    assert not mark.exists()


def test_what_does_not_compile_gives_nothing_and_stops_nothing():
    nested = b"(" * 5000
    results = compiled(
        ("/a.py", b"print 'two'\n"),
        ("/b.py", b"\0"),
        ("/c.py", b"\xff\xfe"),
        ("/d.py", b"# coding: nonsense\n"),
        ("/e.py", nested),
        ("/f.py", b"ok = 1\n"),
    )
    assert [bool(result) for result in results] == [False] * 5 + [True]


def test_declared_encodings_are_obeyed():
    assert compiled(("/x.py", b"# -*- coding: latin-1 -*-\ns = '\xe9'\n"))[0]


def test_a_child_that_died_halfway_gives_nothing_for_its_chunk(tmp_path):
    path = tmp_path / "chunk.0"
    nothing = struct.pack("<I", 0) * 2
    assert program._result(path, 2) == nothing
    path.write_bytes(struct.pack("<I", 100) + b"short")
    assert program._result(path, 2) == nothing
    path.write_bytes(struct.pack("<I", 1) + b"a" + struct.pack("<I", 1) + b"b")
    assert program._result(path, 2) == path.read_bytes()


def test_a_source_whose_constants_grow_is_left_to_its_import(monkeypatch):
    monkeypatch.setattr(program, "_SMALL", 1000)
    folded = b"x = " + b" + ".join([b"'a' * 4000"] * 20) + b"\n"
    assert compiled(("/x.py", folded), ("/y.py", b"y = 1\n")) == [b"", *compiled(("/y.py", b"y = 1\n"))]
