"""Archives that two programs could read differently are refused, each by its own name."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib

import pytest

from tests.support.packed import TOP, entry, good, gz, patched, pax, record, tar_of, zip_of
from toolchain.core.errors import UsageFault
from toolchain.core.tarball import END, file_entry
from toolchain.publish.archive import ArchiveLimits, ArchiveRefused, read_archive, unpack_archive

BIG = 0o377777 << 9


def rule_of(data, tmp_path, limits=None):
    path = tmp_path / "archive"
    path.write_bytes(data)
    with pytest.raises(ArchiveRefused) as caught:
        read_archive(path, limits)
    assert caught.value.rule in str(caught.value)
    return caught.value.rule.removeprefix("archive.")


HOSTILE_TARS = {
    "path-escape": [entry(f"{TOP}/../../etc/passwd")],
    "absolute-path": [entry("/etc/passwd")],
    "name-detour": [entry(f"{TOP}/./a.py")],
    "backslash": [entry(f"{TOP}/..\\..\\a.py")],
    "name-control": [entry(f"{TOP}/a\x1b[2J.py")],
    "name-encoding": [patched(entry(f"{TOP}/aaaa.py"), len(TOP) + 1, b"\xff\xfe")],
    "name-not-nfc": [entry(f"{TOP}/e\u0301.py")],
    "name-length": [entry(f"{TOP}/" + "a/" * 170 + "b.py")],
    "name-padding": [patched(entry(f"{TOP}/a.py"), 60, b"hidden")],
    "hard-link": [good(), entry(f"{TOP}/b.py", b"", b"1", link=f"{TOP}/a.py")],
    "link": [entry(f"{TOP}/b.py", b"", b"2", link="/etc/passwd")],
    "device": [entry(f"{TOP}/null", b"", b"3")],
    "fifo": [entry(f"{TOP}/pipe", b"", b"6")],
    "gnu-long-name": [entry("././@LongLink", b"x" * 120 + b"\0", b"L"), good()],
    "sparse": [entry(f"{TOP}/sparse", b"", b"S")],
    "global-pax": [entry("g", record("path", f"{TOP}/other.py"), b"g"), good()],
    "pax-size": [pax(record("size", "1")), good()],
    "pax-key": [pax(record("hdrcharset", "BINARY")), good()],
    "pax-duplicate": [pax(record("path", f"{TOP}/a") + record("path", f"{TOP}/b")), good()],
    "pax-malformed": [pax(b"99 path=short\n"), good()],
    "pax-path": [pax(record("path", b"my_plugin/a\0b")), good()],
    "duplicate": [good(), good()],
    "case-collision": [good("a.py"), good("A.py")],
    "file-and-folder": [good("a"), good("a/b.py")],
    "two-top-folders": [good(), entry("other/a.py")],
    "no-top-folder": [entry("setup.py")],
    "special-mode": [entry(f"{TOP}/su", mode=0o4755)],
    "checksum": [good()[:148] + b"000001\0 " + good()[156:]],
    "number-format": [patched(good(), 124, b"\x80" + b"\0" * 10 + b"\x06")],
    "magic": [patched(good(), 257, b"stars\0")],
    "folder-size": [entry(f"{TOP}/d/", b"x", b"5")],
    "prefix": [patched(patched(good(), 257, b"ustar  \0"), 345, b"elsewhere")],
    "type": [patched(good(), 156, b"\0")],
    "multi-volume": [entry(f"{TOP}/a", b"x", b"M")],
    "padding": [good()[:600] + b"hidden" + good()[606:]],
    "data-after-end": [good(), bytes(512), good("b.py")],
}


@pytest.mark.parametrize("rule", HOSTILE_TARS)
def test_a_hostile_tar_is_refused_by_name(rule, tmp_path):
    assert rule_of(gz(tar_of(*HOSTILE_TARS[rule])), tmp_path) == rule


def test_the_link_of_a_pax_record_and_of_a_regular_file(tmp_path):
    assert rule_of(gz(tar_of(pax(record("linkpath", "/etc")), good())), tmp_path) == "link"
    assert rule_of(gz(tar_of(patched(good(), 157, b"/etc/passwd"))), tmp_path) == "link"


def test_sparse_files_by_pax(tmp_path):
    records = record("GNU.sparse.major", "1") + record("GNU.sparse.name", f"{TOP}/big")
    assert rule_of(gz(tar_of(pax(records), good())), tmp_path) == "pax-size"


def test_second_gzip_member_and_trailing_bytes(tmp_path):
    data = gz(tar_of(good()))
    assert rule_of(data + gz(tar_of(good("hidden.py"))), tmp_path) == "multi-member"
    assert rule_of(data + b"PK\3\4", tmp_path) == "trailing-bytes"
    # A reader that goes on after the end of the tar would find these.
    assert rule_of(gz(tar_of(good()) + good("hidden.py")), tmp_path) == "data-after-end"
    assert rule_of(gz(tar_of(good()) + bytes(1 << 20)), tmp_path) == "data-after-end"


@pytest.mark.parametrize("cut", [5, 40, 90])
def test_a_truncated_archive(cut, tmp_path):
    data = gz(tar_of(good()))
    assert rule_of(data[: len(data) * cut // 100], tmp_path) in {"truncated", "not-gzip"}


def test_a_tar_without_its_end(tmp_path):
    assert rule_of(gz(good()), tmp_path) == "truncated"
    assert rule_of(gz(good() + bytes(512)), tmp_path) == "truncated"
    assert rule_of(gz(END), tmp_path) == "empty"


def test_damage_and_strangers(tmp_path):
    data = bytearray(gz(tar_of(good())))
    data[-6] ^= 1
    assert rule_of(bytes(data), tmp_path) == "gzip-corrupt"
    assert rule_of(b"", tmp_path) == "not-gzip"
    assert rule_of(b"not an archive, not even nearly", tmp_path) == "not-gzip"
    flagged = bytearray(gz(tar_of(good())))
    flagged[3] = 4
    assert rule_of(bytes(flagged), tmp_path) == "gzip-header"


def test_a_bomb_is_refused_long_before_it_is_unpacked(tmp_path):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = file_entry(f"{TOP}/zeros", b"")[:512]
    head = patched(head, 124, b"%011o\0" % (400 << 20))
    data = packer.compress(head) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(60)) + packer.flush()
    assert len(data) < 100_000
    assert rule_of(data, tmp_path) == "bomb"


def test_the_limits_hold(tmp_path):
    many = gz(tar_of(*(good(f"f{number:04}.py") for number in range(11))))
    assert rule_of(many, tmp_path, ArchiveLimits(files=10)) == "too-many-files"
    large = gz(tar_of(good("a", bytes(5000))))
    assert rule_of(large, tmp_path, ArchiveLimits(extracted_bytes=4999)) == "too-large"
    assert rule_of(many, tmp_path, ArchiveLimits(archive_bytes=50)) == "too-large"


def test_what_is_no_regular_file_is_a_wrong_call(tmp_path):
    with pytest.raises(UsageFault):
        read_archive(tmp_path)
    with pytest.raises(UsageFault):
        read_archive(tmp_path / "absent.tar.gz")


def test_unpacking_never_writes_through_what_is_there(tmp_path):
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(gz(tar_of(good())))
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "a.py").symlink_to(victim)
    with pytest.raises(FileExistsError):
        unpack_archive(archive, folder)
    assert victim.read_text() == "mine"


# --- zip


def good_zip():
    return zip_of((f"{TOP}/a.py", b"x = 1\n" * 50), (f"{TOP}/b.py", b"y = 2\n" * 50))


def with_u16(data, signature, offset, value):
    place = data.index(signature) + offset
    return data[:place] + struct.pack("<H", value) + data[place + 2 :]


HOSTILE_ZIPS = {
    "path-escape": lambda: zip_of((f"{TOP}/../a.py", b"x")),
    "absolute-path": lambda: zip_of(("/etc/passwd", b"x")),
    "link": lambda: zip_of((f"{TOP}/l", b"/etc/passwd"), external_attr=0o120777 << 16),
    "device": lambda: zip_of((f"{TOP}/d", b""), external_attr=0o020666 << 16),
    "special-mode": lambda: zip_of((f"{TOP}/s", b""), external_attr=0o104755 << 16),
    "zip-end": lambda: good_zip() + b"trailing",
    "zip-layout": lambda: b"PK\0\0\0\0" + good_zip(),
    "zip-encrypted": lambda: with_u16(good_zip(), b"PK\1\2", 8, 1),
    "zip-flags": lambda: with_u16(good_zip(), b"PK\1\2", 8, 8),
    "zip-method": lambda: with_u16(good_zip(), b"PK\1\2", 10, 12),
    "zip-differs": lambda: good_zip().replace(f"{TOP}/a.py".encode(), f"{TOP}/c.py".encode(), 1),
    "zip-content": lambda: good_zip().replace(struct.pack("<L", zlib.crc32(b"x = 1\n" * 50)), b"abcd"),
    "zip-extra": lambda: zip_of((f"{TOP}/a.py", b"x"), extra=struct.pack("<2HB", 0x7075, 1, 0)),
    "folder-size": lambda: with_u16(
        with_u16(zip_of((f"{TOP}/d/", b"hidden"), external_attr=0o040755 << 16), b"PK\3\4", 22, 0),
        b"PK\1\2",
        24,
        0,
    ),
    "duplicate": lambda: good_zip().replace(f"{TOP}/b.py".encode(), f"{TOP}/a.py".encode()),
    "case-collision": lambda: good_zip().replace(f"{TOP}/b.py".encode(), f"{TOP}/A.py".encode()),
    "no-top-folder": lambda: zip_of(("a.py", b"x")),
    "bomb": lambda: zip_of((f"{TOP}/zeros", bytes(40 << 20))),
}


@pytest.mark.parametrize("rule", HOSTILE_ZIPS)
def test_a_hostile_zip_is_refused_by_name(rule, tmp_path):
    data = HOSTILE_ZIPS[rule]()
    if rule == "zip-layout":
        # The table's place is told from the file's start: with it mended, only the gap is left to find.
        place = data.rindex(b"PK\5\6") + 16
        (table,) = struct.unpack("<L", data[place : place + 4])
        data = data[:place] + struct.pack("<L", table + 6) + data[place + 4 :]
    assert rule_of(data, tmp_path) == rule


# --- what is accepted


def test_an_archive_of_another_program_is_read_but_not_canonical(tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name, data in ((f"{TOP}/b.py", b"b"), (f"{TOP}/a.py", b"a")):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode, member.uname = len(data), 1700000000.5, 0o640, "somebody"
            archive.addfile(member, io.BytesIO(data))
        folder = tarfile.TarInfo(f"{TOP}/sub")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
    path = tmp_path / "theirs.tar.gz"
    path.write_bytes(stream.getvalue())
    reading = read_archive(path)
    assert [member.name for member in reading.members] == ["a.py", "b.py"]
    assert (reading.top, reading.canonical) == (TOP, False)


def test_our_gzip_and_another_compressor_give_one_tar_digest(tmp_path):
    tar = tar_of(good())
    digests = set()
    for level in (1, 9):
        path = tmp_path / f"{level}.tar.gz"
        path.write_bytes(gzip.compress(tar, level, mtime=level))
        reading = read_archive(path)
        assert reading.canonical
        digests.add(reading.tar_sha256)
    assert len(digests) == 1
