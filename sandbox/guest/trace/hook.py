"""The interpreter's own account: audit events of the process that a stage shares with the plugin (PEP 578).

It alone knows files and lines, and names before they are resolved. It sees nothing of native code that makes its
own system calls, and the plugin can feed it lies: what it tells is a claim.
"""

from __future__ import annotations

import _collections_abc
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

_IMAGE = ("/opt/mixpeek/", "/usr/lib/")  # read-only, and nothing in them is a secret
_READING = ("r", "rb")
_DISTINCT = 2_000
_DEPTH = 100
_TEXT = 400
_LONG_SLEEP_SECONDS = 1.0
# What stands between a line that reads a variable and our look at it.
_MAPPINGS = (os.__file__, _collections_abc.__file__, "<frozen os>", "<frozen _collections_abc>", "<frozen codecs>")
# What a pickle has no honest reason to name.
_PICKLED = {"builtins", "os", "posix", "subprocess", "sys", "socket", "shutil", "ctypes", "importlib", "runpy"}
_HARMLESS = {
    "set",
    "frozenset",
    "slice",
    "complex",
    "bytearray",
    "object",
    "range",
    "getattr",
    "list",
    "dict",
    "int",
}


class Hook:
    """Tells process 1 of each new thing that code in this process tries, over a datagram socket.

    Made and installed in the worker, before a package of others is imported there; ``begin`` is for the stage that
    was forked from it. What the imports try the kernel's account alone tells. ``quiet`` and ``sensitive`` of the
    plan are as in ``sandbox.trace.places``.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._root = ""
        self._descriptor = -1
        self._inode = 0
        self._worker = os.getpid()
        self._quiet = tuple(plan["quiet"])
        self._sensitive = re.compile(plan["sensitive"])
        self._counts: dict[tuple[str, ...], int] = {}
        self._handlers: dict[str, Callable[..., None]] = {
            "socket.connect": self._connect,
            "socket.sendto": self._connect,
            "socket.sendmsg": self._connect,
            "socket.bind": self._bind,
            "socket.getaddrinfo": self._resolve,
            "socket.gethostbyname": self._resolve,
            "subprocess.Popen": self._start,
            "os.exec": self._start,
            "os.posix_spawn": self._start,
            "os.spawn": lambda _mode, path, arguments, _environment: self._start(path, arguments),
            "os.system": lambda command: self._start("/bin/sh", ["sh", "-c", command]),
            "pty.spawn": lambda arguments: self._start(arguments[0], arguments),
            "ctypes.dlopen": self._library,
            "import": self._import,
            "open": self._open,
            "os.symlink": lambda target, *_: self._open(target, "r", 0),
            "compile": self._compile,
            "marshal.loads": lambda *_: self._code("marshal.loads"),
            "code.__new__": lambda *_: self._code("a code object"),
            "pickle.find_class": self._pickle,
            "os.kill": self._signal,
            "time.sleep": self._sleep,
        }

    def install(self) -> None:
        """Hear of everything from now on. There is no end: an audit hook cannot be removed."""
        sys.addaudithook(self._hear)

    def begin(self, root: str, descriptor: int) -> None:
        """Tell what is tried from now on over the socket ``descriptor``; ``root`` is the plugin's folder."""
        self._root = root + os.sep
        self._inode = os.fstat(descriptor).st_ino
        self._watch_environment()
        self._descriptor = descriptor

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._descriptor < 0:
            return
        handler = self._handlers.get(event)
        if handler is not None:
            with suppress(Exception):  # what is raised here would be raised in the plugin
                handler(*arguments)

    def _connect(self, _socket: Any, target: Any = None, *_: Any) -> None:
        if isinstance(target, tuple) and len(target) >= 2:
            self._tell("connect", _place(target))
        elif isinstance(target, (str, bytes)):
            path = os.fsdecode(target).lstrip("\0")
            if not path.startswith(self._quiet) or self._sensitive.search(path):
                self._tell("unix-socket", path)

    def _bind(self, _socket: Any, target: Any) -> None:
        if isinstance(target, tuple) and len(target) >= 2:
            self._tell("listen", _place(target))

    def _resolve(self, host: Any, *_: Any) -> None:
        name = os.fsdecode(host) if isinstance(host, (str, bytes)) else ""
        if name and name != "localhost" and not re.fullmatch(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.%]*", name):
            self._tell("dns", name)

    def _start(self, path: Any, arguments: Any = (), *_: Any) -> None:
        words = [arguments] if isinstance(arguments, (str, bytes)) else list(arguments or ())
        told = [os.fsdecode(word)[:256] for word in words[:24]]
        self._tell("execute", os.fsdecode(path) if path else (told or [""])[0], arguments=told)

    def _library(self, name: Any) -> None:
        if name:
            self._tell("library", os.fsdecode(name))

    def _import(self, _module: Any, file: Any, *_: Any) -> None:
        if isinstance(file, str) and file.startswith(self._root):
            self._tell("library", file)

    def _open(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, str) and path.startswith(_IMAGE) and mode in _READING and ".." not in path:
            return  # every import; the rest of this costs some 25 us
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # a descriptor
        name = os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(path)))  # noqa: PTH109, PTH118
        prefix = "sensitive-" if self._sensitive.search(name) else ""
        if not prefix and f"{name}/".startswith(self._quiet):
            return
        writes = bool(set(mode) & set("wax+")) if isinstance(mode, str) else False
        writes = writes or bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        self._tell(prefix + ("write" if writes else "read"), name)

    def _compile(self, source: Any, file: Any) -> None:
        if isinstance(source, (str, bytes)) and os.fsdecode(file).startswith("<"):
            self._code(os.fsdecode(source).strip()[:120])

    def _code(self, what: str) -> None:
        """Only what the plugin's own line does: dataclasses and their like compile all the time."""
        if _caller().f_code.co_filename.startswith((self._root, "<string>")):
            self._tell("dynamic-code", what)

    def _pickle(self, module: Any, name: Any) -> None:
        if str(module).partition(".")[0] in _PICKLED and name not in _HARMLESS:
            self._tell("dynamic-code", f"a pickle that names {module}.{name}")

    def _signal(self, target: Any, number: Any) -> None:
        if number and target != os.getpid():
            whom = {self._worker: "the worker", 1: "process 1", -1: "every process"}.get(target, "a process")
            self._tell("signal", f"{int(number)} to {whom}")

    def _sleep(self, seconds: Any) -> None:
        if seconds >= _LONG_SLEEP_SECONDS:
            self._tell("sleep", f"about {seconds:.0f} s")

    def _watch_environment(self) -> None:
        """Note which variables the plugin's own lines read. ``getenv`` of libc is not seen."""
        kind = type(os.environ)
        get, walk = kind.__getitem__, kind.__iter__

        def read(environment: Any, key: Any) -> Any:
            with suppress(Exception):
                self._environment(os.fsdecode(key))
            return get(environment, key)

        def read_all(environment: Any) -> Iterator[Any]:
            with suppress(Exception):
                self._environment("(all of it)")
            return walk(environment)

        kind.__getitem__ = read  # type: ignore[method-assign]
        kind.__iter__ = read_all  # type: ignore[method-assign]

    def _environment(self, name: str) -> None:
        """Only what the plugin's own line reads: urllib looks for proxies, and everybody for a home."""
        actor = next((frame for frame in _frames() if frame.f_code.co_filename not in _MAPPINGS), None)
        if actor is not None and actor.f_code.co_filename.startswith(self._root):
            self._tell("environment", name)

    def _tell(self, kind: str, subject: str, **details: Any) -> None:
        """Send a thing when it is new, and then each time that its count has doubled."""
        file, line = self._line()
        key = (kind, subject[:_TEXT], file, str(line))
        seen = self._counts.get(key, 0) + 1
        if seen == 1 and len(self._counts) >= _DISTINCT:
            return
        self._counts[key] = seen
        if seen & (seen - 1) == 0 and os.fstat(self._descriptor).st_ino == self._inode:
            place = {"file": file, "line": line} if file else {}
            word = {"kind": kind, "subject": subject[:_TEXT], "count": seen, **place, **details}
            os.write(self._descriptor, json.dumps(word).encode())

    def _line(self) -> tuple[str, int]:
        """The innermost line of the plugin's that led here."""
        for frame in _frames():
            name = frame.f_code.co_filename
            if name.startswith(self._root):
                return name[len(self._root) :], frame.f_lineno
        return "", 0


def _frames() -> Iterator[FrameType]:
    """The frames outside this file, innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no public way
    for _ in range(_DEPTH):
        if frame is None:
            return
        if frame.f_code.co_filename != __file__:
            yield frame
        frame = frame.f_back


def _caller() -> FrameType:
    return next(_frames())


def _place(target: tuple[Any, ...]) -> str:
    host = os.fsdecode(target[0]) if isinstance(target[0], (str, bytes)) else str(target[0])
    return f"[{host}]:{target[1]}" if ":" in host else f"{host}:{target[1]}"
