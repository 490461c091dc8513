"""Upload tokens: only what was signed, only as long as it was signed for."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.storage.interface import UploadTerms
from registry.storage.tokens import TokenRefused, sign, verify

TERMS = UploadTerms("uploads/ns/plu/x.tar.gz", 60, "application/gzip", 7, "a" * 64)
SECRET = b"s" * 32


def test_what_was_signed_comes_back_until_its_time_is_over():
    token = sign(TERMS, SECRET, moment=1_000)
    assert verify(token, SECRET, moment=1_060) == TERMS
    with pytest.raises(TokenRefused, match="expired"):
        verify(token, SECRET, moment=1_061)


def test_another_registry_secret_opens_nothing():
    with pytest.raises(TokenRefused, match="not one of this registry"):
        verify(sign(TERMS, SECRET), b"t" * 32)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_passes(place, change):
    token = sign(TERMS, SECRET, moment=1_000)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[place % len(raw)] ^= change
    with pytest.raises(TokenRefused):
        verify(base64.urlsafe_b64encode(bytes(raw)).decode(), SECRET, moment=1_000)


@given(st.text())
def test_no_text_is_a_token(text):
    with pytest.raises(TokenRefused):
        verify(text, SECRET)
