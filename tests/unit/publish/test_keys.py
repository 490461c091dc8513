"""Keys are made privately, named clearly, and never taken for another."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from toolchain.cli.main import run
from toolchain.core.errors import UsageFault
from toolchain.publish.keys import KeyStore, KeyUnusable, public_keys
from toolchain.publish.record.signing import KeylessSigner


@pytest.fixture
def keys(tmp_path):
    store = KeyStore(tmp_path / "keys")
    store.generate()
    return store


def test_the_private_key_is_readable_for_its_owner_alone(keys):
    assert keys.private_path.stat().st_mode & 0o777 == 0o600
    assert keys.folder.stat().st_mode & 0o077 == 0
    assert b"PRIVATE KEY" in keys.private_path.read_bytes()
    assert b"PRIVATE" not in keys.public_path.read_bytes()


def test_a_second_key_is_only_made_on_request_and_the_old_one_stays_trusted(keys):
    (old,) = keys.trusted()
    with pytest.raises(UsageFault, match="already"):
        keys.generate()
    new = keys.generate(replace=True)
    assert list(keys.trusted()) == [new.keyid, old]


def test_the_signer_is_the_public_key_s_owner(keys):
    (keyid,) = keys.trusted()
    assert keys.signer().public_key.keyid == keyid


def test_a_key_that_others_may_read_does_not_sign(keys):
    keys.private_path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        keys.signer()


def test_no_key_wrong_key_and_no_pem(keys, tmp_path):
    with pytest.raises(KeyUnusable, match="generate"):
        KeyStore(tmp_path / "none").signer()
    other = tmp_path / "other.pem"
    key = rsa.generate_private_key(65537, 2048)
    other.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    other.chmod(0o600)
    with pytest.raises(KeyUnusable, match="Ed25519"):
        keys.signer(other)
    other.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UsageFault, match="Ed25519"):
        keys.trust(other, "other")
    other.write_text("nothing")
    with pytest.raises(UsageFault, match="PEM"):
        keys.trust(other, "other")
    with pytest.raises(KeyUnusable):
        keys.signer(other)


def test_a_key_of_an_algorithm_that_nobody_knows_is_an_error_of_ours(keys, tmp_path):
    # SubjectPublicKeyInfo whose algorithm is the object identifier 1.2.3.4
    unknown = bytes.fromhex("300d300506032a0304030400010203")
    file = tmp_path / "unknown.pub"
    file.write_text(f"-----BEGIN PUBLIC KEY-----\n{b64encode(unknown).decode()}\n-----END PUBLIC KEY-----\n")
    with pytest.raises(UsageFault, match="PEM"):
        keys.trust(file, "stranger")


def test_a_name_means_one_key(keys, tmp_path):
    first, second = KeyStore(tmp_path / "a"), KeyStore(tmp_path / "b")
    first.generate()
    second.generate()
    assert keys.trust(first.public_path, "colleague").keyid == keys.trust(first.public_path, "colleague").keyid
    with pytest.raises(UsageFault, match="another key"):
        keys.trust(second.public_path, "colleague")
    for name in ("own", "../evil", "", "a/b"):
        with pytest.raises(UsageFault):
            keys.trust(second.public_path, name)


def test_keyless_without_the_extra_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sigstore.dsse", None)
    with pytest.raises(UsageFault, match="sigstore"):
        KeylessSigner().require()
    with pytest.raises(UsageFault, match="sigstore"):
        KeylessSigner().sign(b"{}")


def test_public_keys_are_found_in_the_folder_that_trust_fills_and_above_it(keys, tmp_path):
    other = KeyStore(tmp_path / "other")
    made = other.generate()
    kept = keys.trust(other.public_path, "publisher")
    assert list(public_keys(kept.path.parent)) == [made.keyid]
    assert set(public_keys(keys.folder)) == {made.keyid, *keys.trusted()}


def test_a_folder_without_public_keys_trusts_nobody_and_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(UsageFault, match="key"):
            public_keys(folder)


def test_a_key_that_is_trusted_already_keeps_its_name(keys, tmp_path):
    theirs = KeyStore(tmp_path / "theirs").generate()
    first = keys.trust(theirs.path, "first")
    assert keys.trust(theirs.path, "second") == first == keys.trust(theirs.path, "first")
    assert keys.trust(keys.public_path, "mine").name == "own"
    assert sorted(path.name for path in (keys.folder / "trusted").iterdir()) == ["first.pub", "mine.pub"]


def test_the_command_says_that_a_key_is_trusted_under_another_name(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIXPEEK_STATE_DIR", str(tmp_path / "state"))
    theirs = KeyStore(tmp_path / "theirs").generate()
    assert run(["key", "trust", str(theirs.path), "--name", "first"]) == 0
    assert "trusted as first" in capsys.readouterr().out
    assert run(["key", "trust", str(theirs.path), "--name", "second"]) == 0
    assert "trusted already as first" in capsys.readouterr().out
