"""What we accept opens identically in tarfile, GNU tar and bsdtar; what we write does on every Python here."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.packed import TOP, entry, good, gz, packed, pax, record, tar_of, zip_of
from toolchain.publish.archive import ArchiveRefused, read_archive, unpack_archive

# Every Python that this machine has: the system's, and where pyenv keeps its own.
VERSIONS = range(10, 15)
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
PYTHONS = sorted(
    {str(path) for version in VERSIONS for path in PYENV.glob(f"3.{version}.*/bin/python3")}
    | {f"/usr/bin/python3.{version}" for version in VERSIONS if Path(f"/usr/bin/python3.{version}").is_file()}
)


def listing(root):
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def by_program(*argv):
    def unpack(archive, folder):
        folder.mkdir()
        done = subprocess.run(
            [*argv, str(archive), "-C", str(folder)], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return listing(folder)

    return unpack


# Python 3.11 knows filters since 3.11.4, Debian 12 has 3.11.2; without them every entry is trusted.
TRUSTING = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}


def by_tarfile(archive, folder):
    with tarfile.open(archive) as opened:
        opened.extractall(folder, **TRUSTING)
    return listing(folder)


PEERS = {
    "tar": by_program("tar", "--no-same-owner", "-xzf"),
    "bsdtar": by_program("bsdtar", "--no-same-owner", "-xzf"),
    "tarfile": by_tarfile,
}


def ours(archive, folder):
    reading = unpack_archive(archive, folder)
    return {f"{reading.top}/{name}": facts for name, facts in listing(folder).items()}


def agree(archive, base):
    mine = ours(archive, base / "ours")
    for name, unpack in PEERS.items():
        assert unpack(archive, base / name) == mine, name


def test_our_own_archive(tmp_path):
    root = tmp_path / "in"
    for name, data in {"a.py": b"1", "sub/é日.txt": b"2" * 5000, "l" * 130: b"3", "d/" * 60 + "x": b"4"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "a.py").chmod(0o755)
    agree(packed(root, tmp_path / "a.tar.gz"), tmp_path)


@pytest.mark.parametrize("dialect", ["--format=gnu", "--format=ustar", "--format=posix"])
def test_an_archive_made_by_gnu_tar(dialect, tmp_path):
    root = tmp_path / TOP
    (root / "sub").mkdir(parents=True)
    (root / "a.py").write_text("x")
    (root / "sub" / "b.py").write_text("y" * 2000)
    archive = tmp_path / "theirs.tar.gz"
    subprocess.run(["tar", dialect, "-czf", archive, "-C", tmp_path, TOP], check=True, timeout=60)
    agree(archive, tmp_path)


def test_a_zip_opens_alike_in_bsdtar(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of((f"{TOP}/a.py", b"1" * 500), (f"{TOP}/sub/b.py", b"2")))
    mine = ours(archive, tmp_path / "ours")
    assert by_program("bsdtar", "-xf")(archive, tmp_path / "theirs") == mine


BASES = (
    tar_of(good("a.py"), good("b/c.py", b"y" * 700)),
    tar_of(pax(record("path", f"{TOP}/é.py") + record("mtime", "1.5")), good("short.py"), good("z.py")),
    tar_of(entry(f"{TOP}/", b"", b"5", mode=0o755), good("a.py"), good("b.py", b"")),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    base=st.sampled_from(BASES),
    places=st.lists(st.tuples(st.integers(0, 512 * 7), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3),
    mend=st.booleans(),
)
def test_a_spoiled_tar_is_refused_or_read_alike_by_all(base, places, mend, tmp_path_factory):
    data = bytearray(base)
    for place, value in places:
        start = place % len(data)
        data[start : start + len(value)] = value
    data = data[: len(base)]
    if mend:  # so that the spoiling is not always caught by the checksum
        for start in range(0, len(data) - 512, 512):
            block = data[start : start + 512]
            if block[257:262] == b"ustar":
                block[148:156] = b" " * 8
                data[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    tmp = tmp_path_factory.mktemp("spoiled")
    archive = tmp / "a.tar.gz"
    archive.write_bytes(gz(bytes(data)))
    try:
        read_archive(archive)
    except ArchiveRefused:
        return
    agree(archive, tmp)


PACK = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from toolchain.core.tarball import END, FilePart, chunks, file_parts
import hashlib
root = pathlib.Path(sys.argv[2])
names = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())
digest = hashlib.sha256()
for name in names:
    path = root / name
    for piece in chunks(file_parts("top/" + name, FilePart(path, path.stat().st_size))):
        digest.update(piece)
digest.update(END)
print(digest.hexdigest())
"""


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
def test_locale_zone_umask_and_python_leave_no_trace_in_the_tar(locale, tmp_path):
    root = tmp_path / "in"
    for name in ("b.py", "a/é.py", "a/z.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    wanted = read_archive(packed(root, tmp_path / "a.tar.gz", top="top")).tar_sha256
    repository = Path(__file__).resolve().parents[2]
    for python in {sys.executable, *PYTHONS}:
        environment = {"LC_ALL": locale, "TZ": "Asia/Tokyo", "PATH": os.environ["PATH"], "PYTHONHASHSEED": "7"}
        argv = ["sh", "-c", 'umask 077; exec "$@"', "sh", python, "-c", PACK, str(repository), str(root)]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.strip() == wanted, python


def test_python_reads_the_gzip_member_whole(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.py").write_text("x")
    data = packed(root, tmp_path / "a.tar.gz").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        assert archive.getnames() == [f"{TOP}/a.py"]
