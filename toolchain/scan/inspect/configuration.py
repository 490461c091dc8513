"""Configuration that makes a program call something: YAML tags, ``_target_`` and its kin, build hooks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from toolchain.scan.contents import Entry, Problem, line_number
from toolchain.scan.policy import Policy

# The characters that PyYAML takes into a tag, commas among them.
_TAG = re.compile(rb"!<[^>\s]{1,400}|![^\s\[\]{}]{1,400}")
_PYTHON_TAG = re.compile(rb"python/(?:object|name|module|apply|new|none|tuple|str|bytes|int|complex)|ruby/object")
_TAG_DIRECTIVE = re.compile(rb"^%TAG[ \t]+\S+[ \t]+(\S{1,400})", re.MULTILINE)
_STANDARD_TAGS = b"tag:yaml.org,2002:"
# Hydra's _target_, Lightning's class_path, logging's () and class, and the keys that other loaders use.
_TARGET = re.compile(
    rb"(?:\b_target_|\bclass_path|\btarget|\bfactory|\bclass|[\"']\(\)|(?<![\w)])\(\))[\"']?"
    rb"[ \t\r\n]{0,64}[:=][ \t\r\n]{0,64}[\"']?(?:ext://)?([A-Za-z_]\w{0,99}(?:\.\w{1,99}){1,8})"
)
# A module of sentence-transformers by its dotted name: what is not the library's own brings code.
_MODULE = re.compile(rb'"type"\s{0,64}:\s{0,64}"(?!sentence_transformers\.)[\w.-]{1,400}"')
_REMOTE = re.compile(rb"\btrust_remote_code[\"']?[ \t]{0,64}[:=][ \t]{0,64}(?:[Tt]rue|TRUE|1|yes|on)\b")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|u00([0-9a-fA-F]{2}))")
_BUILD_HOOKS = re.compile(
    rb"^[ \t]*(?:backend-path|cmdclass)[ \t]*=|^[ \t]*\[tool\.(?:hatch\.(?:build|metadata)[\w.-]*\.hooks\.custom|"
    rb"setuptools\.cmdclass|poetry\.build|pdm\.build)|^\[tool\.pytest[\w.-]*\][^\[]{0,2000}?-p[ \t]+\w",
    re.MULTILINE,
)
_BUILD_FILES = ("pyproject.toml", "setup.cfg", "hatch.toml")
_READ = frozenset({"yaml", "json", "configuration", "text"})


def configuration_problems(entry: Entry, kind: str, policy: Policy) -> Iterator[Problem]:
    """What a YAML, JSON, TOML or INI file asks a loader to call or to fetch."""
    if kind not in _READ:
        return
    data = _plain(entry.data)
    if kind != "json":
        yield from _yaml_tags(entry.name, data)
    if kind == "text":
        return
    yield from _targets(entry.name, data, policy)
    if kind == "configuration":
        yield from _logging_expressions(entry.name, data, policy)
    if kind != "configuration":
        yield from _remote_code(entry.name, data)
        yield from _modules(entry.name, data)
    if entry.name.endswith(_BUILD_FILES) and (hook := _BUILD_HOOKS.search(data)):
        message = "code that runs when the plugin is built"
        yield Problem("file.build-hook", message, entry.name, line_number(data, hook.start()))


# What logging.config.fileConfig evaluates as Python in the sections of handlers and formatters.
_EVALUATED = re.compile(rb"^[ \t]*(?:args|kwargs|class)[ \t]*[=:]([^\n]*(?:\n[ \t]+[^\n]*)*)", re.MULTILINE)
_LOGGING = re.compile(rb"^\[(?:handler|formatter|logger)(?:s|_\w+)\]", re.MULTILINE)
_CODE = re.compile(rb"__\w+__|\b(?:eval|exec|compile|open|getattr|globals|vars|breakpoint)[ \t]*\(|\blambda\b")
_DOTTED = re.compile(rb"[A-Za-z_]\w*(?:\.\w+)+")


def _logging_expressions(file: str, data: bytes, policy: Policy) -> Iterator[Problem]:
    if not _LOGGING.search(data):
        return
    for found in _EVALUATED.finditer(data):
        names = (name.decode("utf-8", "replace") for name in _DOTTED.findall(found.group(1)))
        rules = [rule for name in names if (rule := policy.match(policy.canonical(name))) is not None]
        if _CODE.search(found.group(1)) or any(rule.default == "forbidden" for rule in rules):
            message = "an expression that logging.config.fileConfig runs"
            yield Problem("code.builtin", message, file, line_number(data, found.start()))


def _targets(file: str, data: bytes, policy: Policy) -> Iterator[Problem]:
    for found in _TARGET.finditer(data):
        name = found.group(1).decode("utf-8", "replace")
        rule = policy.match(policy.canonical(name))
        if rule is not None and rule.default == "forbidden":
            message = f"a configuration that names {name}"
            yield Problem(rule.id, message, file, line_number(data, found.start()), name)


def _remote_code(file: str, data: bytes) -> Iterator[Problem]:
    if found := _REMOTE.search(data):
        message = "trust_remote_code in a configuration"
        yield Problem("data.remote-code", message, file, line_number(data, found.start()))
    if file.endswith("config.json"):
        for key in (b'"auto_map"', b'"custom_pipelines"'):
            if key in data:
                message = f"{key.decode()}: a model that brings code of its own"
                yield Problem("data.remote-code", message, file, line_number(data, data.index(key)))


def _modules(file: str, data: bytes) -> Iterator[Problem]:
    """The list of a sentence-transformers model names classes, whose ``load`` is called."""
    if file.rpartition("/")[2] == "modules.json" and (found := _MODULE.search(data)):
        message = "a model's module that is not sentence-transformers' own"
        yield Problem("data.remote-code", message, file, line_number(data, found.start()))


def _yaml_tags(file: str, data: bytes) -> Iterator[Problem]:
    message = "a YAML tag that makes Python objects"
    for directive in _TAG_DIRECTIVE.finditer(data):
        # A prefix that ends inside of the standard one, or goes on behind it, hides what the tags say.
        prefix = unquote_to_bytes(directive.group(1))
        if prefix != _STANDARD_TAGS and (prefix.startswith(_STANDARD_TAGS) or _STANDARD_TAGS.startswith(prefix)):
            yield Problem("data.yaml-tag", message, file, line_number(data, directive.start()))
    for tag in _TAG.finditer(data):
        # A tag's characters may be written as percent escapes.
        if _PYTHON_TAG.search(unquote_to_bytes(tag.group())):
            yield Problem("data.yaml-tag", message, file, line_number(data, tag.start()))


def _plain(data: bytes) -> bytes:
    """The bytes as UTF-8, with the escapes of ASCII characters undone."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode()
    if b"\\x" in data or b"\\u00" in data:
        data = _ESCAPE.sub(lambda found: bytes.fromhex((found.group(1) or found.group(2)).decode()), data)
    return data
