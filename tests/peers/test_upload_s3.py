"""The upload against a real S3: what a signed URL binds is held to, and an object is written once."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import replace
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config

from tests.support.peers import ACCESS_KEY, BUCKET, SECRET_KEY, seaweed
from toolchain.publish.client.errors import UploadExpired, UploadFailed
from toolchain.publish.client.retry import Retry
from toolchain.publish.client.transport import Connection
from toolchain.publish.client.upload import PutOrder, put_file, signed_headers

CONNECTION = Connection("http://127.0.0.1:1", "sk_key", retry=Retry(attempts=2))


@pytest.fixture(scope="module")
def store():
    with seaweed() as running:
        client = boto3.client(
            "s3",
            endpoint_url=running.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        yield client
        client.close()


@pytest.fixture
def order(store, tmp_path):
    file = tmp_path / "archive.tar.gz"
    file.write_bytes(b"content of an archive\n" * 40_000)
    return signed(store, file)


def signed(store, file, seconds=300):
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    parameters = {
        "Bucket": BUCKET,
        "Key": uuid4().hex,
        "ContentLength": len(data),
        "ContentType": "application/gzip",
        "IfNoneMatch": "*",
        "ChecksumSHA256": base64.b64encode(bytes.fromhex(digest)).decode(),
    }
    url = store.generate_presigned_url("put_object", Params=parameters, ExpiresIn=seconds)
    return PutOrder(url, file, digest, "application/gzip")


def put(order):
    return put_file(order, CONNECTION, sleep=lambda _: None)


def stored(store, order):
    key = order.url.partition("?")[0].rpartition("/")[2]
    return store.get_object(Bucket=BUCKET, Key=key)["Body"].read()


def test_what_is_signed_is_sent(order):
    assert {"content-length", "content-type", "if-none-match", "x-amz-checksum-sha256"} <= signed_headers(
        order.url
    )


def test_it_is_stored_once(store, order):
    seen = []
    first = put_file(order, CONNECTION, lambda sent, size, _: seen.append((sent, size)))
    assert not first.was_there
    assert first.etag
    assert stored(store, order) == order.file.read_bytes()
    assert seen[-1] == (first.bytes, first.bytes)
    assert put(order).was_there


def test_other_bytes_of_the_same_length_are_refused(store, order):
    order.file.write_bytes(order.file.read_bytes()[::-1])
    with pytest.raises(UploadFailed):
        put(order)
    with pytest.raises(store.exceptions.NoSuchKey):
        stored(store, order)


def test_a_longer_body_is_refused(order):
    with order.file.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(UploadFailed):
        put(order)


def test_another_content_type_is_refused(order):
    with pytest.raises(UploadFailed):
        put(replace(order, content_type="application/zip"))


def test_a_forged_signature_and_an_expired_url(store, order):
    forged = order.url[:-1] + ("0" if order.url[-1] != "0" else "1")
    with pytest.raises(UploadExpired, match="SignatureDoesNotMatch"):
        put(replace(order, url=forged))
    short = signed(store, order.file, seconds=1)
    time.sleep(2)
    with pytest.raises(UploadExpired):
        put(short)
