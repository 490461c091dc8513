"""Credentials that were left in a file, by the forms that their issuers publish.

detect-secrets, the library of this field, was weighed: its last release is of 2024, it imports in 0.1 s of a
budget of 0.5, its broad rules (basic auth, Artifactory, Twilio) speak up on honest test data, and it lacks the
token that a plugin most likely holds, the model hub's. Only forms with a fixed prefix are taken here: they do
not occur by chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolchain.scan.contents import Entry, Problem, line_number
from toolchain.scan.private_keys import PRIVATE_KEY, START

# What it is, the literal that it begins with, and how it goes on. A file without the literal costs one look.
_FORMS: tuple[tuple[str, bytes, bytes], ...] = (
    ("an AWS access key", b"AKIA", rb"[A-Z2-7]{16}\b"),
    ("an AWS access key", b"ASIA", rb"[A-Z2-7]{16}\b"),
    *(("a GitHub token", b"gh%b_" % kind, rb"[A-Za-z0-9]{36,255}\b") for kind in (b"p", b"o", b"u", b"s", b"r")),
    ("a GitHub token", b"github_pat_", rb"[A-Za-z0-9_]{60,255}\b"),
    ("a GitLab token", b"glpat-", rb"[A-Za-z0-9_-]{20,255}"),
    ("a Hugging Face token", b"hf_", rb"[A-Za-z]{34}\b"),
    ("an OpenAI key", b"sk-", rb"(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,255}T3BlbkFJ[A-Za-z0-9_-]{20,255}"),
    ("an Anthropic key", b"sk-ant-", rb"[a-z0-9]{3,10}-[A-Za-z0-9_-]{80,255}"),
    ("a Google API key", b"AIza", rb"[A-Za-z0-9_-]{35}\b"),
    ("a Slack token", b"xox", rb"[abeprs]-[0-9]{8,}-[A-Za-z0-9-]{16,255}"),
    ("a Stripe key", b"k_live_", rb"(?<=[sr]k_live_)[A-Za-z0-9]{20,255}"),
    ("a PyPI token", b"pypi-AgEIcHlwaS5vcmc", rb"[A-Za-z0-9_-]{50,255}"),
    ("an npm token", b"npm_", rb"[A-Za-z0-9]{36}\b"),
    ("a SendGrid key", b"SG.", rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b"),
)
# Part of a longer word it is none; a Stripe key has a letter before the literal.
_COMPILED = (
    ("a private key", START, PRIVATE_KEY),
    *(
        (
            label,
            start,
            re.compile(
                re.escape(start) + (b"" if start == b"k_live_" else b"(?<!\\w%b)" % re.escape(start)) + rest
            ),
        )
        for label, start, rest in _FORMS
    ),
)


def secret_problems(entry: Entry) -> Iterator[Problem]:
    """One problem for each form of credential in the file, at its first place; the credential is not repeated."""
    for label, start, form in _COMPILED:
        if start in entry.data and (found := form.search(entry.data)):
            yield Problem(
                "text.secret",
                f"what looks like {label}",
                entry.name,
                line_number(entry.data, found.start()),
                label,
            )
