"""Objects in any S3: uploads go straight there, by URLs that bind what may be sent."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from registry.storage.interface import StorageFault, UploadTerms, UploadTicket

_TAKEN = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_ABSENT = {"NoSuchKey", "404", "NotFound"}


class S3Storage:
    """Objects in one bucket below ``prefix``. Credentials are boto3's own business."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None) -> None:
        import boto3
        from botocore.config import Config

        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"} if endpoint else {},
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 3, "mode": "standard"},
        )
        self._client: Any = boto3.client("s3", endpoint_url=endpoint, config=config)

    def ticket(self, terms: UploadTerms) -> UploadTicket:
        """A URL whose signature covers every header in the ticket.

        Without a SHA-256 only the length is bound, so that a client that sends the documented fields alone works;
        whatever comes is copied and hashed before it counts.
        """
        parameters: dict[str, Any] = {"Bucket": self._bucket, "Key": self._prefix + terms.key}
        headers: dict[str, str] = {}
        if terms.length is not None:
            parameters["ContentLength"] = terms.length
            headers["Content-Length"] = str(terms.length)
        if terms.sha256 is not None:
            checksum = b64encode(bytes.fromhex(terms.sha256)).decode()
            parameters |= {"ContentType": terms.content_type, "IfNoneMatch": "*", "ChecksumSHA256": checksum}
            headers |= {
                "Content-Type": terms.content_type,
                "If-None-Match": "*",
                "x-amz-checksum-sha256": checksum,
            }
        with _explained():
            url = self._client.generate_presigned_url("put_object", Params=parameters, ExpiresIn=terms.seconds)
        return UploadTicket(url, headers)

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO | None]:
        """The object's body."""
        with _explained():
            try:
                body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"]
            except self._client.exceptions.ClientError as reason:
                if reason.response["Error"]["Code"] not in _ABSENT:
                    raise
                body = None
        if body is None:
            yield None
            return
        try:
            yield cast("BinaryIO", _Body(body))
        finally:
            body.close()

    def keep(self, key: str, file: Path) -> None:
        """Put a file, unless its key is taken."""
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        checksum = b64encode(digest.digest()).decode()
        with _explained(), file.open("rb") as stream:
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=stream,
                    IfNoneMatch="*",
                    ChecksumSHA256=checksum,
                )
            except self._client.exceptions.ClientError as reason:
                if reason.response["Error"]["Code"] not in _TAKEN:
                    raise

    def remove(self, key: str) -> None:
        """Delete the object."""
        with _explained():
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)


class _Body:
    """A response's body whose connection breaking is the store's fault, not the archive's."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        with _explained():
            return bytes(self._body.read(None if size < 0 else size))


@contextmanager
def _explained() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as reason:
        raise StorageFault(f"the object store does not answer as it should: {reason}") from reason
