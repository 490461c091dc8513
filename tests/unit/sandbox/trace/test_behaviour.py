"""Two accounts become one: merged, bounded, and deaf to what has no form."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.trace.behaviour import Category, Doing, Witness, read_behaviour

KERNEL, INTERPRETER = frozenset({Witness.KERNEL}), frozenset({Witness.INTERPRETER})
BOTH = KERNEL | INTERPRETER


def event(kind: str, subject: str, **details: Any) -> dict[str, Any]:
    return {"kind": kind, "subject": subject, "count": 1, **details}


def account(observed: list[Any] = (), claimed: list[Any] = ()) -> dict[str, Any]:
    return {
        "observed": {"events": list(observed), "left_out": {}},
        "claimed": {"events": list(claimed), "left_out": {}},
    }


def only(tried: dict[str, Any]) -> Doing:
    (doing,) = read_behaviour(tried).doings
    return doing


def test_a_claim_adds_its_line_to_what_the_kernel_saw():
    seen = event("connect", "203.0.113.7:80", answer="refused", by="/usr/bin/python3", count=3)
    told = event("connect", "203.0.113.7:80", file="core.py", line=7, count=2)
    doing = only({"tests": account([seen], [told])})
    assert (doing.witnesses, doing.file, doing.line, doing.count, doing.answer) == (
        BOTH,
        "core.py",
        7,
        3,
        "refused",
    )


def test_the_same_in_two_stages_is_one_doing():
    seen = event("denied-call", "ptrace", answer="refused")
    doing = only({"tests": account([seen]), "samples": account([seen])})
    assert (doing.stages, doing.count, doing.witnesses) == (("tests", "samples"), 2, KERNEL)


def test_what_only_one_of_them_tells_stays_its_own():
    told = event("connect", "203.0.113.8:80", file="core.py", line=7)
    assert only({"tests": account([], [told])}).witnesses == INTERPRETER


def test_one_program_looked_for_along_the_path_is_one_start():
    tries = [
        event("execute", f"/{folder}/ffmpeg", arguments=["ffmpeg", "-i"], answer=answer)
        for folder, answer in (
            ("usr/local/bin", "no such file"),
            ("usr/local/sbin", "no such file"),
            ("usr/bin", "let through to the kernel"),
        )
    ]
    told = event("execute", "ffmpeg", arguments=["ffmpeg", "-i"], file="core.py", line=3)
    doing = only({"tests": account(tries, [told])})
    assert (doing.subject, doing.answer, doing.line) == ("/usr/bin/ffmpeg", "let through to the kernel", 3)
    assert doing.count == 1


def test_a_program_does_not_hide_behind_the_arguments_of_another():
    tries = [
        event("execute", path, arguments=["ffmpeg", "-i"], answer="let through to the kernel")
        for path in ("/usr/bin/ffmpeg", "/opt/mixpeek/plugin/a/ffmpeg", "/bin/sh")
    ]
    doings = read_behaviour({"tests": account(tries)}).doings
    assert {doing.subject for doing in doings} == {one["subject"] for one in tries}


def test_an_account_without_a_list_tells_nothing():
    assert read_behaviour({"tests": {"observed": {"events": 7}, "claimed": 7}}).doings == ()


def test_a_name_with_a_search_domain_is_the_name_that_python_asked_for():
    seen = [event("dns", name, answer="refused") for name in ("c2.example.net", "c2.example.net.lan")]
    doings = read_behaviour({"tests": account(seen, [event("dns", "c2.example.net", file="a.py", line=1)])}).doings
    assert [(doing.subject, doing.witnesses) for doing in doings] == [
        ("c2.example.net", BOTH),
        ("c2.example.net.lan", KERNEL),
    ]


@pytest.mark.parametrize(
    ("kind", "path", "category"),
    [
        ("read", "/root/.ssh/id_ed25519", Category.CREDENTIALS),
        ("read", "/tmp/.aws/credentials", Category.CREDENTIALS),
        ("read", "/etc/shadow", Category.CREDENTIALS),
        ("write", "/proc/7/mem", Category.CREDENTIALS),
        ("read", "/var/run/secrets/kubernetes.io/serviceaccount/token", Category.CREDENTIALS),
        ("read", "/run/docker.sock", Category.CREDENTIALS),
        ("write", "/tmp/.bashrc", Category.PERSISTENCE),
        ("write", "/etc/cron.d/x", Category.PERSISTENCE),
        ("write", "/opt/x/site-packages/evil.pth", Category.PERSISTENCE),
        ("read", "/tmp/.bashrc", Category.FILE),
        ("read", "/etc/passwd", Category.FILE),
        ("write", "/etc/passwd", Category.PERSISTENCE),
        ("read", "/proc/1/environ", Category.ENVIRONMENT),
        ("read", "/proc/self/environ", Category.ENVIRONMENT),
        ("read", "/srv/data.bin", Category.FILE),
    ],
)
def test_a_file_s_category(kind, path, category):
    assert only({"tests": account([event(kind, path, answer="let through to the kernel")])}).category is category


def test_categories_are_in_order():
    seen = [event("read", "/srv/x"), event("denied-call", "bpf"), event("connect", "203.0.113.1:1")]
    doings = read_behaviour({"tests": account(seen)}).doings
    assert [doing.category for doing in doings] == [Category.NETWORK, Category.DENIED_CALL, Category.FILE]


def test_what_was_left_out_is_counted():
    told = account()
    told["observed"]["left_out"] = {"connect": 7}
    told["claimed"]["left_out"] = {"connect": 1, "dns": True, "x": "y"}
    assert read_behaviour({"tests": told}).left_out == {"connect": 8, "dns": 0, "x": 0}


@pytest.mark.parametrize(
    "tried",
    [
        {},
        {"tests": None},
        {"tests": {"observed": 1, "claimed": []}},
        {"tests": {"observed": {"events": [None, 1, {}, {"kind": "connect"}, {"kind": 1, "subject": "x"}]}}},
        {"tests": {"observed": {"events": [{"kind": "no such kind", "subject": "x"}]}}},
    ],
)
def test_what_has_no_form_is_passed_over(tried):
    assert read_behaviour(tried).doings == ()


def test_odd_fields_of_an_event_are_not_believed():
    told = event("connect", "a:1", arguments=["x", 1], line="7", file=3, by=[], answer=None)
    told["count"] = -5
    doing = only({"tests": account([], [told])})
    assert (doing.arguments, doing.line, doing.file, doing.by, doing.count) == (("x",), None, None, "", 1)
