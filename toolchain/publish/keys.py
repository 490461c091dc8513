"""Signing keys: one of the user's own, and the public keys of those whom the user trusts.

Ed25519 through securesystemslib. Files are PEM (PKCS#8 and SubjectPublicKeyInfo), so that openssl reads them too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolchain.core.errors import MixpeekError, UsageFault

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner, SSlibKey

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_FILE_LIMIT: Final = 16 << 10
OWN: Final = "own"


class KeyUnusable(MixpeekError):
    """A signing key is missing, unreadable or of the wrong kind."""

    id = "key-unusable"


@dataclass(frozen=True)
class TrustedKey:
    """A public key: the name the user gave it, its id (64 hexadecimal digits) and its file."""

    name: str
    keyid: str
    path: Path


class KeyStore:
    """The keys under one folder: ``signing.pem``, its public half, and ``trusted/NAME.pub``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.private_path = folder / "signing.pem"
        self.public_path = folder / "signing.pub"

    def generate(self, *, replace: bool = False) -> TrustedKey:
        """Make the user's own key and trust it. Raises ``UsageFault`` when there is one and not ``replace``."""
        from securesystemslib.signer import CryptoSigner

        if self.private_path.exists() and not replace:
            remedy = "`mixpeek key show` shows it; --replace makes a new one and keeps the old one's public half"
            raise UsageFault("there is a signing key already", where=str(self.private_path), remedy=remedy)
        signer = CryptoSigner.generate_ed25519()
        if replace and self.public_path.exists():
            # What was signed with the old key stays verifiable here.
            old = _public_key(self.public_path)
            _write(self._trusted(f"old-{old.keyid[:12]}"), self.public_path.read_bytes(), 0o644)
        _write(self.private_path, signer.private_bytes, 0o600)
        _write(self.public_path, _public_pem(signer), 0o644)
        return TrustedKey(OWN, signer.public_key.keyid, self.public_path)

    def signer(self, path: Path | None = None) -> CryptoSigner:
        """The key that signs: the file ``path``, or the user's own.

        Raises ``KeyUnusable`` when there is none, others may read it, or it is not Ed25519.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from securesystemslib.signer import CryptoSigner

        file = path or self.private_path
        data = _read(file, "make one with `mixpeek key generate`")
        if file.stat().st_mode & 0o077:
            raise KeyUnusable("others may read the signing key", where=str(file), remedy=f"chmod 600 {file}")
        try:
            key = load_pem_private_key(data, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyUnusable(
                "not a private key in PEM without a password", where=str(file), remedy=_MAKE
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusable("the signing key is not an Ed25519 key", where=str(file), remedy=_MAKE)
        return CryptoSigner(key)

    def trust(self, file: Path, name: str) -> TrustedKey:
        """Trust the public key in ``file`` under ``name``; one that is trusted already keeps the name that it has.

        The user's own is copied beside the others all the same, for whoever is given that folder.
        Raises ``UsageFault`` for what is no such key.
        """
        if not _NAME.fullmatch(name) or name == OWN:
            raise UsageFault(f"{name!r} cannot name a key", remedy="use letters, digits, `.`, `_`, `@` and `-`")
        key = _public_key(file)
        known = self.trusted().get(key.keyid)
        if known is not None and known[0].name != OWN:
            return known[0]
        target = self._trusted(name)
        if target.exists() and _public_key(target).keyid != key.keyid:
            remedy = f"choose another name, or remove {target} first"
            raise UsageFault(f"{name!r} is the name of another key", where=str(target), remedy=remedy)
        _write(target, _read(file, "pass a public key in PEM"), 0o644)
        return TrustedKey(name, key.keyid, target) if known is None else known[0]

    def trusted(self) -> dict[str, tuple[TrustedKey, SSlibKey]]:
        """Every trusted key by its id, the user's own first."""
        files = [(OWN, self.public_path)] if self.public_path.exists() else []
        return _by_id(files + _named(self.folder / "trusted"))

    def _trusted(self, name: str) -> Path:
        return self.folder / "trusted" / f"{name}.pub"


def public_keys(folder: Path) -> dict[str, tuple[TrustedKey, SSlibKey]]:
    """The public keys of a folder of ``.pub`` files, or of the folder above such a one, by their ids.

    Raises ``UsageFault`` for a folder that is missing or holds no key, and for a file that is none.
    """
    remedy = "name the folder `trusted` that `mixpeek key trust` fills, or put the publishers' .pub files into it"
    if not folder.is_dir():
        raise UsageFault("there is no such folder of public keys", where=str(folder), remedy=remedy)
    found = _by_id(_named(folder) + _named(folder / "trusted"))
    if not found:
        raise UsageFault("the folder holds no public key", where=str(folder), remedy=remedy)
    return found


def _named(folder: Path) -> list[tuple[str, Path]]:
    return [(path.stem, path) for path in sorted(folder.glob("*.pub"))]


def _by_id(files: list[tuple[str, Path]]) -> dict[str, tuple[TrustedKey, SSlibKey]]:
    found: dict[str, tuple[TrustedKey, SSlibKey]] = {}
    for name, path in files:
        key = _public_key(path)
        found.setdefault(key.keyid, (TrustedKey(name, key.keyid, path), key))
    return found


_MAKE: Final = "make a new one with `mixpeek key generate`"


def public_pem(path: Path) -> str:
    """The text of a public key's file."""
    return _read(path, _MAKE).decode()


def _public_key(file: Path) -> SSlibKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        key = load_pem_public_key(_read(file, "pass a public key in PEM"))
    except (ValueError, UnsupportedAlgorithm):
        raise UsageFault("not a public key in PEM", where=str(file), remedy="pass the .pub file") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageFault("not an Ed25519 key", where=str(file), remedy="ask for an Ed25519 public key")
    return SSlibKey.from_crypto(key)


def _public_pem(signer: CryptoSigner) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(signer.private_bytes, None).public_key()
    pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem


def _read(file: Path, remedy: str) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_FILE_LIMIT)
    except OSError as reason:
        raise KeyUnusable(f"the key cannot be read: {reason.strerror}", where=str(file), remedy=remedy) from None


def _write(file: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, never readable for others in between."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(data)
        partial.replace(file)
    except OSError as reason:
        remedy = "set MIXPEEK_STATE_DIR to a folder that you may write"
        raise KeyUnusable(
            f"the key cannot be written: {reason.strerror}", where=str(file), remedy=remedy
        ) from None
