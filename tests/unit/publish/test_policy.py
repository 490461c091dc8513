"""The verifier's policy file: what it may hold, and that a slip does not weaken it."""

from __future__ import annotations

import pytest

from toolchain.core.errors import UsageFault
from toolchain.publish.record.policy import VerifyPolicy, read_policy


def read(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return read_policy(path)


def test_an_empty_file_is_the_default(tmp_path):
    assert read(tmp_path, "") == VerifyPolicy()


def test_every_key(tmp_path):
    text = """
    signers = ["own"]
    identity = "a@example.com"
    issuer = "https://issuer.example.com"
    max-age-days = 30
    require-sandbox = true
    require-strict-scan = true
    scan-rules = ["aa"]
    sandbox-policies = ["bb"]
    forbidden-packages = ["left-pad"]
    """
    policy = read(tmp_path, text)
    assert policy.signers == ("own",)
    assert policy.max_age_days == 30
    assert policy.require_strict_scan


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max-age-day = 3", "max-age-days"),
        ("require-sandbox = 'yes'", "wrong kind"),
        ("max-age-days = true", "wrong kind"),
        ("signers = [1]", "wrong kind"),
        ("signers = 'own'", "wrong kind"),
        ("identity = 'a'", "together"),
        ("= 3", "no TOML"),
    ],
)
def test_a_slip_is_an_error(tmp_path, text, told):
    with pytest.raises(UsageFault, match=told):
        read(tmp_path, text)


def test_no_file(tmp_path):
    with pytest.raises(UsageFault, match="cannot be read"):
        read_policy(tmp_path / "absent")
