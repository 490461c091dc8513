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

_FORMS: dict[str, str] = {
    "a private key": r"-----BEGIN (?:[A-Z]{2,10} )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{32}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})\b",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,255}",
    "a Hugging Face token": r"\bhf_[A-Za-z]{34}\b",
    "an OpenAI key": r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,255}T3BlbkFJ[A-Za-z0-9_-]{20,255}",
    "an Anthropic key": r"\bsk-ant-[a-z0-9]{3,10}-[A-Za-z0-9_-]{80,255}",
    "a Google API key": r"\bAIza[A-Za-z0-9_-]{35}\b",
    "a Slack token": r"\bxox[abeprs]-[0-9]{8,}-[A-Za-z0-9-]{16,255}",
    "a Stripe key": r"\b[sr]k_live_[A-Za-z0-9]{20,255}",
    "a PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,255}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a SendGrid key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
}
_COMPILED = {label: re.compile(form.encode()) for label, form in _FORMS.items()}
# The literal words in them: most files hold none, and one look tells.
_HINT = re.compile(
    rb"PRIVATE KEY-----|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|\bhf_|T3BlbkFJ|sk-ant-|AIza|xox[abeprs]-|"
    rb"[sr]k_live_|pypi-AgEI|npm_|SG\."
)


def secret_problems(entry: Entry) -> Iterator[Problem]:
    """One problem for each kind of credential in the file, at its first place; the credential is not repeated."""
    if not _HINT.search(entry.data):
        return
    for label, form in _COMPILED.items():
        if found := form.search(entry.data):
            line = line_number(entry.data, found.start())
            yield Problem("text.secret", f"what looks like {label}", entry.name, line, label)
