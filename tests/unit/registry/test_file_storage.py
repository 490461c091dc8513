"""Local objects: created once, whole or not at all."""

from __future__ import annotations

import pytest

from registry.errors import Refusal
from registry.storage import FileStorage, UploadTerms

BODY = b"archive"


@pytest.fixture
def storage(tmp_path):
    return FileStorage(tmp_path, "http://127.0.0.1:1")


def token(storage, **terms):
    ticket = storage.ticket(UploadTerms("uploads/ns/x.tar.gz", 60, "application/gzip", **terms))
    return ticket.url.rpartition("/")[2]


def left(tmp_path):
    return list((tmp_path / "incoming").iterdir())


def test_an_upload_becomes_an_object_once(storage, tmp_path):
    for attempt in range(2):
        if attempt:
            with pytest.raises(Refusal) as refused:
                storage.receive(token(storage), len(BODY), 100)
            assert refused.value.status == 412
            continue
        with storage.receive(token(storage), len(BODY), 100) as upload:
            upload.write(BODY)
            upload.finish()
    with storage.open("uploads/ns/x.tar.gz") as stream:
        assert stream.read() == BODY
    assert left(tmp_path) == []


def test_two_who_send_at_once_make_one_object(storage, tmp_path):
    first, second = (storage.receive(token(storage), len(BODY), 100) for _ in range(2))
    with first, second:
        first.write(BODY)
        second.write(BODY[::-1])
        first.finish()
        with pytest.raises(Refusal) as refused:
            second.finish()
    assert refused.value.status == 412
    with storage.open("uploads/ns/x.tar.gz") as stream:
        assert stream.read() == BODY
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("terms", "length", "status"), [({"length": 6}, 7, 400), ({}, 101, 413)], ids=["length", "size"]
)
def test_other_lengths_are_refused_before_a_byte_is_taken(storage, tmp_path, terms, length, status):
    with pytest.raises(Refusal) as refused:
        storage.receive(token(storage, **terms), length, 100)
    assert refused.value.status == status
    assert left(tmp_path) == []


@pytest.mark.parametrize("body", [BODY[:-1], BODY + b"x", BODY[::-1]], ids=["short", "long", "other bytes"])
def test_other_bytes_leave_nothing(storage, tmp_path, body):
    sha256 = "ab5fb2d2bb8e9dbe0a1d5cf0ba4d32c6ef8f2ed4d6b22ca0dff9a2a1e0ba4f0c"
    with pytest.raises(Refusal) as refused:
        _send(storage.receive(token(storage, sha256=sha256), len(BODY), 100), body)
    assert refused.value.status == 400
    with storage.open("uploads/ns/x.tar.gz") as stream:
        assert stream is None
    assert left(tmp_path) == []


def test_what_a_killed_server_left_is_cleared(storage, tmp_path):
    (tmp_path / "incoming" / "left").write_bytes(b"half")
    FileStorage(tmp_path, "http://127.0.0.1:1")
    assert left(tmp_path) == []


def _send(upload, body):
    with upload:
        upload.write(body)
        upload.finish()
