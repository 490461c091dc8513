"""Upload tokens: terms that the registry signed, so that an upload needs no key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import asdict

from registry.storage.interface import UploadTerms

_SIGNATURE_BYTES = 32


class TokenRefused(Exception):
    """The token is none of ours, or its time is over; the message says which."""


def sign(terms: UploadTerms, secret: bytes, *, moment: float | None = None) -> str:
    """The terms, when they end, and a signature, as text for a URL."""
    ends = int((time.time() if moment is None else moment) + terms.seconds)
    payload = json.dumps({**asdict(terms), "ends": ends}, sort_keys=True).encode()
    return base64.urlsafe_b64encode(_signature(payload, secret) + payload).decode().rstrip("=")


def verify(token: str, secret: bytes, *, moment: float | None = None) -> UploadTerms:
    """The terms of a token. Raises ``TokenRefused``; nothing of a token is read before its signature holds."""
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        raise TokenRefused("the upload URL is not one of this registry") from None
    signature, payload = data[:_SIGNATURE_BYTES], data[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, _signature(payload, secret)):
        raise TokenRefused("the upload URL is not one of this registry")
    fields = json.loads(payload)
    if fields.pop("ends") < (time.time() if moment is None else moment):
        raise TokenRefused("the upload URL has expired; begin the upload again")
    return UploadTerms(**fields)


def _signature(payload: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, b"mixpeek upload token 1\0" + payload, hashlib.sha256).digest()
