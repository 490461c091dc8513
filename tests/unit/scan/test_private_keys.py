"""One rule for private keys: what is not packed is what the scan names, in every form that programs write."""

from __future__ import annotations

import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.support.plugins import make_plugin
from toolchain.core.reporter import SilentReporter
from toolchain.publish.packing import PackOrder, pack_plugin
from toolchain.scan.contents import Entry
from toolchain.scan.inspect.secrets import secret_problems
from toolchain.scan.private_keys import PRIVATE_KEY


def written(key, form=PrivateFormat.PKCS8, password=None):
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption)


RSA, ED25519, EC = rsa.generate_private_key(65537, 1024), ed25519.Ed25519PrivateKey.generate(), ec.SECP256R1()
PKCS8 = written(ED25519)
PLAIN = written(RSA, PrivateFormat.TraditionalOpenSSL)
HEAD, *BODY = PLAIN.decode().splitlines()
DEK = "DEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF"
PGP = b"-----BEGIN PGP PRIVATE " + b"KEY BLOCK-----\nVersion: GnuPG v2\n\n" + b"lQdGBGNxyz0BEADL" * 4 + b"\n"
FORMS = {
    "PKCS 8": PKCS8,
    "RSA": PLAIN,
    "EC": written(ec.generate_private_key(EC), PrivateFormat.TraditionalOpenSSL),
    "OpenSSH": written(ED25519, PrivateFormat.OpenSSH),
    "encrypted PKCS 8": written(ED25519, password=b"x"),
    "encrypted, with headers": "\n".join([HEAD, "Proc-Type: 4,ENCRYPTED", DEK, "", *BODY]).encode(),
    "OpenPGP": PGP,
    "carriage returns": PKCS8.replace(b"\n", b"\r\n"),
    "in JSON": json.dumps({"private_key": PKCS8.decode()}).encode(),
    "lines of source": "\n".join(f'    "{line}\\n"' for line in PLAIN.decode().splitlines()).encode(),
    "in comments": b"".join(b"# " + line + b"\n" for line in PKCS8.splitlines()),
}


def both(tmp_path, data):
    """Whether it is packed, and whether the scan names it."""
    plugin = make_plugin(tmp_path)
    (plugin.root / "notes.txt").write_bytes(data)
    outcome = pack_plugin(PackOrder(plugin.root, tmp_path / "out"), SilentReporter())
    refused = [finding.rule for finding in outcome.findings] == ["pack.private-key"]
    return refused, [problem.name for problem in secret_problems(Entry("notes.txt", data))] == ["a private key"]


@pytest.mark.parametrize("form", FORMS)
def test_a_key_in_any_form_is_one_for_both(tmp_path, form):
    assert both(tmp_path, b"before\n" + FORMS[form]) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "if '-----BEGIN PRIVATE " + "KEY-----' in text:\n    pass\n",
        "-----BEGIN PUBLIC KEY-----\n" + "A" * 64,
        "MIIE" * 40,
    ],
)
def test_what_only_speaks_of_keys_is_none_for_both(tmp_path, text):
    assert both(tmp_path, text.encode()) == (False, False)


def test_the_rule_is_quick_on_what_nearly_is_one():
    started = time.monotonic()
    head = b"-----BEGIN PRIVATE " + b"KEY-----"
    for filling in (b"\\n", b"\n", b"Abc: ", b"Abc: x\n", b"Abc: Abc: ", b"A" * 31 + b"\n", head):
        assert PRIVATE_KEY.search((head + filling * 20_000)[: 1 << 20]) is None
    assert time.monotonic() - started < 2
