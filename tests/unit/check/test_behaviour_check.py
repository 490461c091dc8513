"""Declared against tried: what fails a plugin, what is shown, and when we could not tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sandbox.conversation import StageReport, Transcript
from sandbox.outcome import Ending
from toolchain.check.behaviour import check_behaviour
from toolchain.check.guest_run import GuestRun
from toolchain.check.report import Status
from toolchain.core.findings import Severity
from toolchain.plugin.permissions import Permissions

DECLARED = Permissions(("api.example.com:443", "203.0.113.5"), ("ffmpeg",), ("API_KEY",))


def run(*events: dict[str, Any], left_out: dict[str, int] | None = None, source: str = "observed") -> GuestRun:
    tried = {source: {"events": list(events), "left_out": left_out or {}}}
    report = StageReport("tests", "exited", 0, 0.1, 1, "", 0, None, None, {}, b"", tried)
    transcript = Transcript(["tests"], {"tests": report}, done=True)
    return GuestRun("here", transcript, Ending.COMPLETED, "", "", watch="attempts", kernel_watched=True)


def event(kind: str, subject: str, **details: Any) -> dict[str, Any]:
    return {"kind": kind, "subject": subject, "count": 1, "answer": "refused", **details}


def program(line: str) -> dict[str, Any]:
    words = line.split()
    return event("execute", words[0], arguments=words, answer="let through to the kernel")


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        (event("connect", "198.51.100.1:443"), "undeclared"),
        (event("connect", "203.0.113.5:443"), "declared"),
        (event("connect", "127.0.0.1:2375"), "undeclared"),
        (event("listen", "[::1]:0"), "ordinary"),
        (event("listen", "0.0.0.0:4444"), "undeclared"),
        (event("socket", "AF_INET6 stream"), "ordinary"),
        (event("socket", "AF_NETLINK raw"), "ordinary"),
        (event("socket", "AF_PACKET raw"), "undeclared"),
        (event("socket", "AF_VSOCK stream"), "undeclared"),
        (event("socket", "AF_INET raw"), "undeclared"),
        (event("unix-socket", "/run/docker.sock"), "undeclared"),
        (event("unix-socket", "/run/dbus/socket"), "ordinary"),
        (event("dns", "api.example.com"), "declared"),
        (event("dns", "evil.example.com"), "undeclared"),
        (event("dns", "192.0.2.53:53"), "undeclared"),  # a question that nobody saw
        (program("/usr/bin/ffmpeg -i x"), "declared"),
        (program("/bin/sh -c id"), "undeclared"),
        (program("/sbin/ldconfig -p"), "ordinary"),
        (program("/sbin/ldconfig -p; id"), "undeclared"),
        (program("python3 -c from multiprocessing.resource_tracker import main;main(5)"), "ordinary"),
        (
            program(
                "/usr/bin/python3.11 -I -S -B -c from multiprocessing.spawn import spawn_main; "
                "spawn_main(tracker_fd=5, pipe_handle=7) --multiprocessing-fork"
            ),
            "ordinary",
        ),
        (program("python3 -c from multiprocessing.spawn import main;main(5);import os"), "undeclared"),
        (program("python3 -c import os"), "undeclared"),
        (program(f"python3 -c from multiprocessing.spawn import main;main('{'a' * 100}')"), "ordinary"),
        (program(f"python3 -c from multiprocessing.spawn import main;main('{'a' * 300}')"), "undeclared"),  # cut
        (program("/usr/bin/lscpu --json"), "ordinary"),
        (program("/opt/mixpeek/plugin/a/lscpu --json"), "undeclared"),
        (event("execute", "/opt/mixpeek/plugin/a/tool", arguments=["lscpu"]), "undeclared"),
        (event("execute", "/bin/sh", arguments=["uname", "-p"]), "undeclared"),
        (event("denied-call", "ptrace"), "undeclared"),
        (event("denied-call", "io_uring_setup"), "suspect"),
        (event("sensitive-read", "/etc/shadow"), "undeclared"),
        (event("sensitive-write", "/tmp/.bashrc"), "undeclared"),
        (event("sensitive-read", "/tmp/.bashrc"), "ordinary"),
        (event("read", "/srv/data"), "ordinary"),
        (event("forged", "two results"), "undeclared"),
        (event("unanswered", "call 1"), "unclear"),
        (event("environment", "HOME"), "ordinary"),
        (event("environment", "API_KEY"), "declared"),
        (event("environment", "AWS_SECRET_ACCESS_KEY"), "undeclared"),
        (event("environment", "(all of it)"), "undeclared"),
        (event("left-running", "/usr/bin/python3, still running"), "suspect"),
        (event("signal", "9 to process 1"), "suspect"),
        (event("signal", "15 to a process"), "ordinary"),
        (event("sleep", "9.0 s"), "ordinary"),
        (event("dynamic-code", "1 + 1"), "ordinary"),
    ],
)
@pytest.mark.parametrize("source", ["observed", "claimed"])
def test_what_is_said_of_one_doing(tried, said, source):
    check, report = check_behaviour(run(tried, source=source), DECLARED)
    (doing,) = report["tried"]
    assert doing["judgement"] == said
    severities = {"undeclared": Severity.ERROR, "suspect": Severity.WARNING, "unclear": Severity.UNKNOWN}
    assert [finding.severity for finding in check.findings] == [severities[s] for s in [said] if s in severities]
    assert (check.status is Status.FAILED) is (said == "undeclared")


def test_the_way_to_the_name_server_is_no_attempt_of_its_own():
    _, report = check_behaviour(run(event("dns", "api.example.com"), event("dns", "192.0.2.53:53")), DECLARED)
    assert {doing["judgement"] for doing in report["tried"]} == {"declared", "ordinary"}


def test_a_finding_has_place_remedy_and_witness():
    tried = event("connect", "198.51.100.1:443", file="core.py", line=9)
    (finding,) = check_behaviour(run(tried), Permissions())[0].findings
    assert (finding.file, finding.line, finding.rule) == ("core.py", 9, "behaviour.network")
    assert "198.51.100.1:443 (observed, refused)" in finding.message
    assert finding.remedy.endswith('permissions = {"hosts": ["198.51.100.1:443"]}')


def test_a_braced_or_forged_subject_stays_one_line():
    (finding,) = check_behaviour(run(event("dns", "{0}\nPASSED {name}")), Permissions())[0].findings
    assert "\n" not in finding.message + finding.remedy


def test_what_is_not_listed_is_not_passed():
    check, _ = check_behaviour(run(left_out={"execute": 3, "read": 9}), Permissions())
    assert [finding.rule for finding in check.findings] == ["behaviour.too-much"]
    assert check.status is Status.UNKNOWN
    assert check_behaviour(run(left_out={"read": 9}), Permissions())[0].status is Status.PASSED


@pytest.mark.parametrize(("watch", "status"), [("attempts", Status.PASSED), ("everything", Status.UNKNOWN)])
def test_one_source_alone_is_told_and_not_enough_for_an_audit(watch, status):
    check, report = check_behaviour(replace(run(), watch=watch, kernel_watched=False), Permissions())
    assert check.status is status
    assert [finding.rule for finding in check.findings] == ["behaviour.one-source"]
    assert [source["present"] for source in report["sources"]] == [False, True]


def test_nothing_tried():
    check, report = check_behaviour(run(), Permissions())
    assert (check.status, check.detail, report["tried"]) == (Status.PASSED, "nothing undeclared was tried", [])
