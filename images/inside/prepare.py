"""Makes a distribution's Python into our base, from inside, while Dockerfile.cpu is built.

``interpreter`` finds the interpreter, removes what a sandbox has no use for and compiles the standard library;
``runtime`` compiles the platform's own packages. Uses only the standard library and needs no shell.
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
from pathlib import Path

ROOT = Path("/opt/mixpeek")
USER_ID = 65532
_SKIPPED = {"proc", "sys", "dev"}
# Installers build and fetch; neither happens here. Names as they lie in a site-packages folder or a bin folder.
_INSTALLERS = re.compile(r"(pip|setuptools|wheel|_distutils_hack|distutils-precedence|pkg_resources)([-.\d].*)?$")
_UNCOMPILED = re.compile(
    r"/(test|tests|idlelib|lib2to3|tkinter|turtledemo|ensurepip|site-packages|dist-packages)/"
)
_FOLDERS = ("runtime", "dependencies", "pytest", "plugin")


def interpreter() -> None:
    """Everything that depends only on the distribution."""
    executable = Path(sys.executable).resolve()
    _add_user()
    _remove_installers(executable)
    _clear_privileged_modes()
    (ROOT / "python").symlink_to(executable)
    _make_loader_cache()
    _compile(Path(sysconfig.get_path("stdlib")), _UNCOMPILED)
    facts = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": str(executable),
        "machine": platform.machine(),
        # Not platform.libc_ver: that reads the newest symbol the executable needs (2.35 on a glibc 2.36).
        "glibc": str(os.confstr("CS_GNU_LIBC_VERSION")).rpartition(" ")[2],
    }
    (ROOT / "base.json").write_text(json.dumps(facts, sort_keys=True))


def runtime() -> None:
    """The platform's own packages."""
    for name in _FOLDERS:
        (ROOT / name).mkdir(exist_ok=True)
    _compile(ROOT / "runtime", None)


def _add_user() -> None:
    entries = {
        "/etc/passwd": (
            "root:x:0:0:root:/root:/usr/sbin/nologin",
            "mixpeek:x:{0}:{0}:mixpeek:/nonexistent:/bin/false",
        ),
        "/etc/group": ("root:x:0:", "mixpeek:x:{0}:"),
    }
    for place, (root, ours) in entries.items():
        path = Path(place)
        # Package scripts write these files, and in a base from packages none of them ran.
        before = path.read_text() if path.exists() else root + "\n"
        path.write_text(before + ours.format(USER_ID) + "\n")
        path.chmod(0o644)


def _remove_installers(executable: Path) -> None:
    folders = {Path(sysconfig.get_path("purelib")), executable.parent, Path("/usr/bin")}
    for folder in sorted(folders):
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if _INSTALLERS.match(path.name):
                _remove(path)
    _remove(Path(sysconfig.get_path("stdlib")) / "ensurepip")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _clear_privileged_modes() -> None:
    """No file may raise privileges. no-new-privileges says the same at run time; this holds without it."""
    for folder, names, files in os.walk("/"):
        if folder == "/":
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
        shutil.rmtree("/var/cache/ldconfig", ignore_errors=True)  # holds inode numbers and times


def _compile(folder: Path, skipped: "re.Pattern[str] | None") -> None:
    # One process and sorted names: the bytes then depend on nothing but the sources (see compile_sources.py).
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for parent, names, files in os.walk(folder):
        names.sort()
        for name in sorted(files):
            path = str(Path(parent, name))
            if name.endswith(".py") and not (skipped and skipped.search(path)):
                compileall.compile_file(path, quiet=2, invalidation_mode=mode)


if __name__ == "__main__":
    {"interpreter": interpreter, "runtime": runtime}[sys.argv[1]]()
