"""Makes a distribution's Python into our base while Dockerfile.cpu and Dockerfile.gpu are built, or from outside.

    python3 prepare.py interpreter|runtime [ROOT]

``interpreter`` finds the interpreter, removes what a sandbox has no use for and compiles the standard library;
``runtime`` compiles the platform's own packages. Without ROOT it prepares the file system that it runs in. With
ROOT it prepares one of another architecture that is unpacked there, and executes nothing of it: bytecode is the
same on every machine, and the interpreter that runs this is the same distribution's for its own machine.

Uses only the standard library and needs no shell.
"""

import compileall
import json
import os
import platform
import py_compile
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

HERE = Path("/")
OURS = Path("opt/mixpeek")
USER_ID = 65532
_SKIPPED = {"proc", "sys", "dev"}
# Installers build and fetch; neither happens here. Names as they lie in a site-packages folder or a bin folder.
_INSTALLERS = re.compile(r"(pip|setuptools|wheel|_distutils_hack|distutils-precedence|pkg_resources)([-.\d].*)?$")
_UNCOMPILED = re.compile(
    r"/(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|site-packages|dist-packages)/"
)
_FOLDERS = ("runtime", "dependencies", "pytest", "plugin")
# e_machine of an ELF header, for the machines that images are made for.
_ELF_MACHINES = {62: "x86_64", 183: "aarch64"}
_GLIBC = re.compile(rb"GNU C Library \([^)]*\) [a-z]+ release version (\d+\.\d+)")


def interpreter(root: Path = HERE) -> None:
    """Everything that depends only on the distribution below ``root``."""
    executable = Path(sys.executable).resolve()
    facts = _facts() if root == HERE else _facts_in(root, executable)
    _add_user(root)
    _remove_installers(root, executable)
    _clear_privileged_modes(root)
    (root / OURS).mkdir(parents=True, exist_ok=True)
    (root / OURS / "python").symlink_to(executable)
    if root == HERE:
        # The loader finds the distribution's own folders without; ldconfig knows its own machine's libraries only.
        _make_loader_cache()
    shutil.rmtree(root / "var/cache/ldconfig", ignore_errors=True)  # holds inode numbers and times
    _compile(root, Path(sysconfig.get_path("stdlib")), _UNCOMPILED)
    (root / OURS / "base.json").write_text(json.dumps({**facts, "executable": str(executable)}, sort_keys=True))


def runtime(root: Path = HERE) -> None:
    """The platform's own packages."""
    for name in _FOLDERS:
        (root / OURS / name).mkdir(exist_ok=True)
    _compile(root, HERE / OURS / "runtime", None)


def _facts() -> "dict[str, str]":
    """What this interpreter says of itself."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        # Not platform.libc_ver: that reads the newest symbol the executable needs (2.35 on a glibc 2.36).
        "glibc": str(os.confstr("CS_GNU_LIBC_VERSION")).rpartition(" ")[2],
    }


def _facts_in(root: Path, executable: Path) -> "dict[str, str]":
    """The same, read from the files of an interpreter that cannot run here."""
    program = _below(root, executable)
    if program.is_symlink() or not program.is_file():
        raise SystemExit(f"{executable} is no program of the other architecture's distribution")
    header = program.read_bytes()[:20]
    # A shared libpython holds the version where there is one.
    places = [program, *_libraries(root, "libpython3.*.so.*")]
    minor = "{}.{}".format(*sys.version_info[:2])
    pattern = re.compile(rb"\0(" + re.escape(minor).encode() + rb"\.\d+(?:(?:a|b|rc)\d+)?\+?)\0")
    return {
        "python": _only([path.read_bytes() for path in places], pattern, f"Python {minor}"),
        "implementation": platform.python_implementation(),
        "machine": _ELF_MACHINES.get(int.from_bytes(header[18:20], "little"), "unknown"),
        "glibc": _only([path.read_bytes() for path in _libraries(root, "libc.so.6")], _GLIBC, "glibc"),
    }


def _only(contents: "list[bytes]", pattern: "re.Pattern[bytes]", what: str) -> str:
    found = {match.decode() for content in contents for match in pattern.findall(content)}
    if len(found) != 1:
        raise SystemExit(f"the other architecture's distribution has {sorted(found) or 'no'} {what}, not one")
    (text,) = found
    return str(text)


def _libraries(root: Path, name: str) -> "Iterator[Path]":
    for folder in ("lib", "usr/lib", "usr/local/lib"):
        for place in (folder, f"{folder}/*-linux-gnu"):
            yield from (path for path in sorted(root.glob(f"{place}/{name}")) if path.is_file())


def _below(root: Path, path: Path) -> Path:
    """Where the absolute ``path`` of the distribution lies."""
    return root / path.relative_to("/")


def _add_user(root: Path) -> None:
    entries = {
        "etc/passwd": (
            "root:x:0:0:root:/root:/usr/sbin/nologin",
            "mixpeek:x:{0}:{0}:mixpeek:/nonexistent:/bin/false",
        ),
        "etc/group": ("root:x:0:", "mixpeek:x:{0}:"),
    }
    for place, (first, ours) in entries.items():
        path = root / place
        # Package scripts write these files, and in a base from packages none of them ran.
        before = path.read_text() if path.exists() else first + "\n"
        path.write_text(before + ours.format(USER_ID) + "\n")
        path.chmod(0o644)


def _remove_installers(root: Path, executable: Path) -> None:
    folders = {Path(sysconfig.get_path("purelib")), executable.parent, Path("/usr/bin")}
    for folder in sorted(_below(root, folder) for folder in folders):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if _INSTALLERS.match(path.name):
                _remove(path)
    _remove(_below(root, Path(sysconfig.get_path("stdlib"))) / "ensurepip")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _clear_privileged_modes(root: Path) -> None:
    """No file may raise privileges. no-new-privileges says the same at run time; this holds without it."""
    for folder, names, files in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name not in _SKIPPED]
        for name in files:
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                path.chmod(stat.S_IMODE(mode) & 0o777)


def _make_loader_cache() -> None:
    # ctypes.util.find_library asks the loader's cache, which a package script makes.
    program = Path("/sbin/ldconfig")
    if program.exists():
        subprocess.run([str(program), "-X"], check=False, capture_output=True)


def _compile(root: Path, folder: Path, skipped: "re.Pattern[str] | None") -> None:
    # One process and sorted names: the bytes then depend on nothing but the sources (see compile_sources.py).
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for parent, names, files in os.walk(_below(root, folder)):
        names.sort()
        for name in sorted(files):
            path = Path(parent, name)
            shown = str(HERE / path.relative_to(root))
            if name.endswith(".py") and not (skipped and skipped.search(shown)):
                compileall.compile_file(path, ddir=str(Path(shown).parent), quiet=2, invalidation_mode=mode)


if __name__ == "__main__":
    {"interpreter": interpreter, "runtime": runtime}[sys.argv[1]](*map(Path, sys.argv[2:]))
