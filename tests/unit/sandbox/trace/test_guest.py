"""The guest's half where it needs no kernel: memory, addresses, ledger, claims, and the hook's own reading."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.guest.trace.claims import read_claim
from sandbox.guest.trace.hook import Hook
from sandbox.guest.trace.ledger import Ledger
from sandbox.guest.trace.memory import AT_FDCWD, UNREADABLE, Memory, address, question
from sandbox.protocol import BODY_LIMIT
from sandbox.trace.places import QUIET, SENSITIVE

HERE = AT_FDCWD & 0xFFFFFFFF


@pytest.fixture
def memory() -> Iterator[Memory]:
    with Memory(os.getpid()) as found:
        yield found


def at(buffer: Any) -> int:
    return ctypes.addressof(buffer)


class TestMemory:
    def test_text(self, memory):
        assert memory.text(at(ctypes.create_string_buffer(b"/etc/shadow\0more"))) == "/etc/shadow"

    def test_text_is_cut(self, memory):
        assert memory.text(at(ctypes.create_string_buffer(b"x" * 9000)), 5000) == "x" * 5000

    @pytest.mark.parametrize("where", [0, 1, 1 << 47, (1 << 64) - 8])
    def test_an_address_that_leads_nowhere(self, memory, where):
        assert memory.text(where) is None
        assert memory.words(where) == []
        assert memory.read(where, 8) == b""

    def test_words_end_with_the_list(self, memory):
        words = (ctypes.c_char_p * 3)(b"sh", b"-c", None)
        assert memory.words(at(words)) == ["sh", "-c"]

    def test_words_are_bounded(self, memory):
        words = (ctypes.c_char_p * 1000)(*[b"x"] * 1000)
        assert memory.words(at(words)) == ["x"] * 24 + ["…"]

    def test_a_word_that_cannot_be_read(self, memory):
        words = (ctypes.c_void_p * 3)(8, None, None)
        assert memory.words(at(words)) == [UNREADABLE]

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            (b"/a/../etc/./shadow", "/etc/shadow"),
            (b"//etc/shadow", "/etc/shadow"),
            (f"/proc/{os.getpid()}/environ".encode(), "/proc/self/environ"),
            (b"/proc/thread-self/mem", "/proc/self/mem"),
        ],
    )
    def test_a_path_is_tidied(self, memory, name, path):
        assert memory.path(HERE, at(ctypes.create_string_buffer(name))) == path

    def test_a_relative_path(self, memory, tmp_path):
        name = ctypes.create_string_buffer(b"x/../y")
        assert memory.path(HERE, at(name)) == f"{Path.cwd()}/y"
        descriptor = os.open(tmp_path, os.O_RDONLY)
        try:
            assert memory.path(descriptor, at(name)) == f"{tmp_path}/y"
        finally:
            os.close(descriptor)

    def test_a_process_that_is_not_there(self):
        with Memory(1 << 30) as none:
            assert (none.text(4096), none.link("cwd")) == (None, UNREADABLE)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (struct.pack("=H", 2) + b"\x01\xbb" + bytes([203, 0, 113, 7]) + bytes(8), ("ip", "203.0.113.7", 443)),
        (
            struct.pack("=H", 10) + b"\x00\x50" + bytes(4) + socket.inet_pton(socket.AF_INET6, "::1") + bytes(4),
            ("ip", "::1", 80),
        ),
        (struct.pack("=H", 1) + b"/run/x.sock\0junk", ("unix", "/run/x.sock", 0)),
        (struct.pack("=H", 1) + b"\0abstract", ("unix", "abstract", 0)),
        (struct.pack("=H", 16) + bytes(10), None),
        (struct.pack("=H", 2) + b"\x01", None),
        (b"", None),
    ],
)
def test_addresses(data, found):
    assert address(data) == found


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (bytes(12) + b"\x02c2\x07example\x03net\0\0\1\0\1", "c2.example.net"),
        (bytes(12) + b"\x02c2\x07exam", None),
        (bytes(12) + b"\xc0\x0c\0", None),
        (bytes(12) + b"\0", None),
        (b"GET / HTTP/1.1", None),
        (b"", None),
    ],
)
def test_questions(data, name):
    assert question(data) == name


class TestLedger:
    def test_the_same_is_counted(self):
        ledger = Ledger()
        for _ in range(3):
            ledger.note("connect", "a:1", answer="refused")
        assert ledger.take()["events"] == [{"kind": "connect", "subject": "a:1", "count": 3, "answer": "refused"}]

    def test_one_program_with_other_arguments_is_another_event(self):
        ledger = Ledger()
        for line in ("uname -p", "uname -a"):
            ledger.note("execute", "/usr/bin/uname", answer="let through to the kernel", arguments=line.split())
        assert [event["arguments"][1] for event in ledger.take()["events"]] == ["-p", "-a"]

    def test_a_flood_of_one_kind_hides_no_other(self):
        ledger = Ledger()
        for number in range(10_000):
            ledger.note("connect", f"a:{number}")
        ledger.note("denied-call", "ptrace")
        told = ledger.take()
        assert len(told["events"]) == 51
        assert told["left_out"] == {"connect": 9_950}

    def test_a_flood_of_kinds(self):
        ledger = Ledger()
        for number in range(1_000):
            ledger.note(f"kind {number}", "x")
        told = ledger.take()
        assert len(told["events"]) == 30
        assert told["left_out"] == {"other": 970}

    def test_long_things_are_cut(self):
        ledger = Ledger()
        ledger.note("execute", "x" * 10_000, arguments=["y" * 10_000, "z"], by="b" * 10_000)
        (event,) = ledger.take()["events"]
        assert (len(event["subject"]), [len(word) for word in event["arguments"]], len(event["by"])) == (
            400,
            [800],
            400,
        )

    def test_the_fullest_ledger_fits_into_a_message(self):
        ledger = Ledger()
        for kind in range(40):
            for number in range(60):
                subject = f"{number}" + "\x01" * 400
                ledger.note(
                    str(kind), subject, arguments=["\x01" * 800], by="\x01" * 400, file="\x01" * 400, line=1
                )
        assert 2 * len(json.dumps(ledger.take())) < BODY_LIMIT

    def test_taking_empties_it(self):
        ledger = Ledger()
        ledger.note("a", "b")
        ledger.take()
        assert ledger.take() == {"events": [], "left_out": {}}


class TestClaims:
    def test_one(self):
        told = {"kind": "dns", "subject": "x", "count": 4, "file": "a.py", "line": 3, "arguments": ["y"]}
        claim = read_claim(json.dumps(told).encode())
        assert (claim.kind, claim.subject, claim.count) == ("dns", "x", 2)
        assert claim.details == {"file": "a.py", "line": 3, "arguments": ["y"]}

    @pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"1", b"\xff", b'{"kind": 1, "subject": "", "count": 1}'])
    def test_none(self, data):
        with pytest.raises((ValueError, TypeError)):
            read_claim(data)

    def test_odd_details_are_dropped(self):
        told = {"kind": "k" * 90, "subject": "s", "count": 1 << 90, "file": 1, "line": -1, "arguments": [1]}
        claim = read_claim(json.dumps(told).encode())
        assert (len(claim.kind), claim.count, claim.details) == (40, 1 << 32, {})


@pytest.fixture
def told() -> Iterator[tuple[Hook, Any]]:
    """A hook for this file's folder, and a function that gives what it told."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    ours.setblocking(False)
    hook = Hook({"quiet": QUIET, "sensitive": SENSITIVE})
    hook.begin(str(Path(__file__).parent), theirs.fileno())

    def heard() -> list[dict[str, Any]]:
        found = []
        while True:
            try:
                found.append(json.loads(ours.recv(1 << 16)))
            except BlockingIOError:
                return found

    with ours, theirs:
        yield hook, heard


class TestHook:
    @pytest.mark.parametrize(
        ("event", "arguments", "kind", "subject"),
        [
            ("socket.connect", (None, ("203.0.113.1", 80)), "connect", "203.0.113.1:80"),
            ("socket.connect", (None, ("::1", 80, 0, 0)), "connect", "[::1]:80"),
            ("socket.connect", (None, "/run/docker.sock"), "unix-socket", "/run/docker.sock"),
            ("socket.sendto", (None, ("203.0.113.1", 53)), "connect", "203.0.113.1:53"),
            ("socket.bind", (None, ("", 80)), "listen", ":80"),
            ("socket.getaddrinfo", ("c2.example.net", 80, 0, 0, 0), "dns", "c2.example.net"),
            ("socket.gethostbyname", ("c2.example.net",), "dns", "c2.example.net"),
            ("subprocess.Popen", ("/bin/sh", ["sh", "-c", "id"], None, None), "execute", "/bin/sh"),
            ("os.system", (b"id",), "execute", "/bin/sh"),
            ("os.exec", (b"/bin/ls", ["ls"], None), "execute", "/bin/ls"),
            ("os.spawn", (0, "/bin/ls", ["ls"], None), "execute", "/bin/ls"),
            ("ctypes.dlopen", ("libevil.so",), "library", "libevil.so"),
            ("open", ("/etc/shadow", "r", 0), "sensitive-read", "/etc/shadow"),
            ("open", ("/tmp/../etc/shadow", "r", 0), "sensitive-read", "/etc/shadow"),
            ("open", ("/tmp/.ssh/id_rsa", "r", 0), "sensitive-read", "/tmp/.ssh/id_rsa"),
            ("open", ("/srv/x", "a", 0), "write", "/srv/x"),
            ("open", ("/srv/x", None, os.O_RDWR), "write", "/srv/x"),
            ("os.symlink", ("/etc/shadow", "/tmp/x", -1), "sensitive-read", "/etc/shadow"),
            ("pickle.find_class", ("os", "system"), "dynamic-code", "a pickle that names os.system"),
            ("os.kill", (1, 9), "signal", "9 to process 1"),
            ("compile", (b"1 + 1", "<string>"), "dynamic-code", "1 + 1"),
        ],
    )
    def test_what_is_told(self, told, event, arguments, kind, subject):
        hook, heard = told
        hook._hear(event, arguments)
        (word,) = heard()
        assert (word["kind"], word["subject"], word["file"]) == (kind, subject, Path(__file__).name)
        assert word["line"] > 0

    @pytest.mark.parametrize(
        ("event", "arguments"),
        [
            ("open", ("/usr/lib/python3/x.py", "r", 0)),
            ("open", ("/tmp", "r", 0)),
            ("open", (3, "r", 0)),
            ("socket.getaddrinfo", ("203.0.113.1", 80, 0, 0, 0)),
            ("socket.getaddrinfo", (None, 80, 0, 0, 0)),
            ("compile", (b"1", "/srv/x.py")),
            ("pickle.find_class", ("builtins", "set")),
            ("os.kill", (os.getpid(), 9)),
            ("import", ("x", None, [], [], [])),
            ("an.event.of.no.interest", ()),
            ("socket.connect", ()),  # of another form than ours expects
        ],
    )
    def test_what_is_not_told(self, told, event, arguments):
        hook, heard = told
        hook._hear(event, arguments)
        assert heard() == []

    def test_repetitions_are_told_ever_more_rarely(self, told):
        hook, heard = told
        for _ in range(100):
            hook._hear("os.system", ("id",))
        assert [word["count"] for word in heard()] == [1, 2, 4, 8, 16, 32, 64]

    def test_a_descriptor_that_became_another_file_is_not_written_to(self, told, tmp_path):
        hook, heard = told
        with (tmp_path / "honest").open("w+b", buffering=0) as file:
            hook._descriptor = file.fileno()
            hook._hear("os.system", ("id",))
            assert file.seek(0, os.SEEK_END) == 0
        assert heard() == []

    def test_a_full_socket_holds_nobody_up(self, told):
        hook, _ = told
        for number in range(3_000):
            hook._hear("os.system", (f"echo {number}",))
