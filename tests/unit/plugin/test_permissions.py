"""What a manifest may declare, and how a wrong declaration is told."""

from __future__ import annotations

import ast

import pytest

from toolchain.plugin.manifest import read_manifest
from toolchain.plugin.permissions import Permissions, read_permissions


def read(source: str) -> Permissions:
    return read_permissions(read_manifest(ast.parse(source)))


def test_at_the_module_s_level_and_within_metadata():
    declared = (
        '{"hosts": ["a.example.com:443", "b.example.com"], "executables": ["ffmpeg"], "environment": ["KEY"]}'
    )
    expected = Permissions(("a.example.com:443", "b.example.com"), ("ffmpeg",), ("KEY",))
    assert read(f"permissions = {declared}") == expected
    assert read(f'metadata = {{"version": "1.0.0", "permissions": {declared}}}') == expected
    assert read(f"permissions = {declared}").findings == ()


def test_none_is_none():
    assert read("metadata = {}") == Permissions()


@pytest.mark.parametrize(
    ("source", "words", "line"),
    [
        ("permissions = load()", "no dictionary", 1),
        ("permissions = []", "no dictionary", 1),
        ('\npermissions = {"host": ["a"]}', "unknown key 'host'", 2),
        ("permissions = {name(): []}", "no literal", 1),
        ('permissions = {"hosts": "a.example.com"}', "no literal list", 1),
        ('permissions = {\n"hosts": [\n"https://a.example.com/"]}', "'https://a.example.com/'", 3),
        ('permissions = {"hosts": ["*"]}', "'*'", 1),
        ('permissions = {"executables": ["/usr/bin/ffmpeg"]}', "without its folder", 1),
        ('permissions = {"executables": [name]}', "no literal text", 1),
        ('permissions = {"environment": ["A=B"]}', "name of a variable", 1),
    ],
)
def test_a_wrong_declaration_is_told_with_its_line_and_grants_nothing(source, words, line):
    permissions = read(source)
    (finding,) = permissions.findings
    assert words in finding.message
    assert (finding.rule, finding.file, finding.line) == ("manifest.permissions", "manifest.py", line)
    assert permissions == Permissions()


@pytest.mark.parametrize(
    ("host", "place", "allowed"),
    [
        ("a.example.com:443", "a.example.com:443", True),
        ("a.example.com:443", "a.example.com:80", False),
        ("a.example.com", "a.example.com:80", True),
        ("203.0.113.7", "203.0.113.7:80", True),
        ("203.0.113.7:80", "203.0.113.7:81", False),
        ("[2001:db8::1]:443", "[2001:db8::1]:443", True),
        ("[2001:db8::1]", "[2001:db8::1]:443", True),
        ("a.example.com", "evil-a.example.com:80", False),
        ("example.com", "a.example.com:80", False),
    ],
)
def test_hosts(host, place, allowed):
    assert Permissions(hosts=(host,)).allows_host(place) is allowed


@pytest.mark.parametrize(("name", "allowed"), [("A.example.COM.", True), ("b.example.com", False)])
def test_names(name, allowed):
    assert Permissions(hosts=("a.example.com:443",)).allows_name(name) is allowed


def test_programs_go_by_their_name():
    permissions = Permissions(executables=("ffmpeg",))
    assert permissions.allows_program("/usr/bin/ffmpeg")
    assert not permissions.allows_program("/tmp/ffmpeg/sh")
