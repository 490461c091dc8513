"""Signs statements as DSSE envelopes, with a key of one's own or, as an extra, keyless through Sigstore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from toolchain.core.digests import canonical_json
from toolchain.core.errors import MixpeekError, UsageFault
from toolchain.publish.record.statements import PAYLOAD_TYPE

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner


class SigningFailed(MixpeekError):
    """No signature could be had."""

    id = "signing-failed"


class StatementSigner(Protocol):
    """What turns a payload into one line of a record."""

    def sign(self, payload: bytes) -> bytes:
        """The canonical line, without its end. Raises ``SigningFailed``."""
        ...


class KeySigner:
    """Signs with an Ed25519 key: the same payload gives the same line."""

    def __init__(self, signer: CryptoSigner) -> None:
        self._signer = signer

    def sign(self, payload: bytes) -> bytes:
        """As ``StatementSigner``."""
        from securesystemslib.dsse import Envelope

        envelope = Envelope(payload, PAYLOAD_TYPE, {})
        envelope.sign(self._signer)
        return canonical_json(envelope.to_dict())


class KeylessSigner:
    """Signs through Sigstore's public instance with an identity of the environment (CI) or of a browser login.

    Needs ``pip install mixpeek[sigstore]`` and the network.
    """

    def require(self) -> None:
        """Raise ``UsageFault`` without the extra: known before the work, not after it."""
        _import_sigstore()

    def sign(self, payload: bytes) -> bytes:
        """As ``StatementSigner``: a Sigstore bundle whose envelope holds the payload."""
        sigstore = _import_sigstore()
        try:
            trust = sigstore.ClientTrustConfig.production()
            token = sigstore.detect_credential()
            identity = (
                sigstore.IdentityToken(token)
                if token is not None
                else sigstore.Issuer(trust.signing_config.get_oidc_url()).identity_token()
            )
            context = sigstore.SigningContext.from_trust_config(trust)
            with context.signer(identity) as signer:
                bundle = signer.sign_dsse(sigstore.Statement(payload))
        except Exception as reason:
            raise SigningFailed(
                f"Sigstore gave no signature: {type(reason).__name__}: {reason}"[:300],
                remedy="check the network and the login, or sign with a key of your own: omit --keyless",
            ) from reason
        import json

        return canonical_json(json.loads(bundle.to_json()))


def sign_record(payloads: Mapping[str, bytes], signer: StatementSigner) -> bytes:
    """The whole record: one line a statement, in the order of ``payloads``."""
    return b"".join(signer.sign(payload) + b"\n" for payload in payloads.values())


class _Sigstore:
    """The names of sigstore that are used, imported together."""

    def __init__(self) -> None:
        from sigstore.dsse import Statement
        from sigstore.models import Bundle, ClientTrustConfig
        from sigstore.oidc import IdentityToken, Issuer, detect_credential
        from sigstore.sign import SigningContext
        from sigstore.verify import Verifier
        from sigstore.verify.policy import Identity

        self.Statement = Statement
        self.Bundle = Bundle
        self.ClientTrustConfig = ClientTrustConfig
        self.IdentityToken = IdentityToken
        self.Issuer = Issuer
        self.detect_credential = detect_credential
        self.SigningContext = SigningContext
        self.Verifier = Verifier
        self.Identity = Identity


def _import_sigstore() -> _Sigstore:
    try:
        return _Sigstore()
    except ImportError:
        raise UsageFault(
            "keyless signatures need the sigstore package, which is not installed",
            remedy="pip install 'mixpeek[sigstore]', or sign with a key of your own: omit --keyless",
        ) from None


def verify_bundle(line: bytes, identity: str, issuer: str) -> bytes:
    """The payload of a Sigstore bundle that ``identity`` signed by the word of ``issuer``.

    Raises ``SigningFailed`` with the reason when it did not, ``UsageFault`` without the extra.
    """
    sigstore = _import_sigstore()
    try:
        bundle = sigstore.Bundle.from_json(line)
        verifier = sigstore.Verifier.production(offline=True)
        kind, payload = verifier.verify_dsse(bundle, sigstore.Identity(identity=identity, issuer=issuer))
    except Exception as reason:
        raise SigningFailed(
            f"the bundle does not verify: {type(reason).__name__}: {reason}"[:300],
            remedy="check identity and issuer in the policy; do not use the release otherwise",
        ) from reason
    if kind != PAYLOAD_TYPE:
        raise SigningFailed("the bundle signs something else", remedy="do not use this release")
    signed: bytes = payload
    return signed
