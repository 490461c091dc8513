"""Reads a record as a stranger's file: one DSSE envelope a line, each in canonical form, each kind once."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from toolchain.core.digests import canonical_json, sha256_bytes
from toolchain.core.errors import UsageFault
from toolchain.publish.record.refused import RecordRefused
from toolchain.publish.record.statements import KINDS, PAYLOAD_TYPE, STATEMENT_TYPE

SUFFIX: Final = ".intoto.jsonl"
RECORD_LIMIT: Final = 32 << 20
_SIGNATURES: Final = 8
_NAMES: Final = {uri: name for name, uri in KINDS.items()}
_BUNDLE: Final = "dsseEnvelope"  # where a Sigstore bundle keeps its envelope


@dataclass(frozen=True)
class SignedStatement:
    """One line: its short name, what is signed, the statement in it, and the signatures as ``(key id, bytes)``.

    ``bundle`` is the whole line where it is a Sigstore bundle.
    """

    kind: str
    payload: bytes
    statement: dict[str, Any]
    signatures: tuple[tuple[str, bytes], ...]
    bundle: bytes | None = None

    @property
    def sha256(self) -> str:
        """The digest by which the summary binds this statement."""
        return sha256_bytes(self.payload)

    @property
    def predicate(self) -> dict[str, Any]:
        """The statement's predicate."""
        found: dict[str, Any] = self.statement["predicate"]
        return found


def record_path(archive: Path) -> Path:
    """Where the record of an archive lies: beside it."""
    return archive.with_name(archive.name + SUFFIX)


def read_record(path: Path) -> dict[str, SignedStatement]:
    """The statements by short name: all five, each once. Nothing is verified yet but the form.

    Raises ``RecordRefused``, and ``UsageFault`` when the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(RECORD_LIMIT + 1)
    except OSError as reason:
        remedy = "ask the publisher for it, and lay it beside the archive or pass it with --record; "
        remedy += "your own release gets one from `mixpeek plugin publish --dry-run`"
        if not isinstance(reason, FileNotFoundError):
            remedy = "check that it is a file that you may read"
        raise UsageFault(f"the record cannot be read: {reason.strerror}", where=str(path), remedy=remedy) from None
    return parse_record(data)


def parse_record(data: bytes) -> dict[str, SignedStatement]:
    """As ``read_record``, from bytes."""
    if len(data) > RECORD_LIMIT:
        raise RecordRefused("too-large", f"a record has at most {RECORD_LIMIT >> 20} MiB")
    if not data.endswith(b"\n"):
        raise RecordRefused("truncated", "the record ends within a line")
    lines = data[:-1].split(b"\n")
    if len(lines) > len(KINDS):
        raise RecordRefused("extra", f"the record has {len(lines)} statements; a release has {len(KINDS)}")
    found: dict[str, SignedStatement] = {}
    for number, line in enumerate(lines, 1):
        signed = _line(line, f"line {number}")
        if signed.kind in found:
            raise RecordRefused("extra", f"a second statement of the kind {signed.kind}", where=f"line {number}")
        found[signed.kind] = signed
    for kind in KINDS:
        if kind not in found:
            raise RecordRefused("dropped", f"the statement {kind} is missing", where=kind)
    return found


def record_document(data: bytes) -> dict[str, Any]:
    """A record as one JSON object, for an API: ``{"statements": [line, …]}``."""
    return {"statements": [json.loads(line) for line in data.splitlines()]}


def parse_record_document(document: Any) -> dict[str, SignedStatement]:
    """As ``parse_record``, from what ``record_document`` gives. Raises ``RecordRefused``."""
    listed = document.get("statements") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > len(KINDS):
        raise RecordRefused("malformed", "the record holds no list of statements")
    try:
        return parse_record(b"".join(canonical_json(line) + b"\n" for line in listed))
    except (ValueError, RecursionError) as reason:
        raise RecordRefused("malformed", f"not JSON: {reason}"[:200]) from None


def _line(line: bytes, where: str) -> SignedStatement:
    document = _object(line, where)
    envelope = document.get(_BUNDLE, document)
    if not isinstance(envelope, dict) or set(envelope) != {"payload", "payloadType", "signatures"}:
        raise RecordRefused("malformed", "not a DSSE envelope", where=where)
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise RecordRefused("malformed", "the envelope holds no in-toto statement", where=where)
    payload = _base64(envelope["payload"], where)
    statement = _object(payload, where)
    if statement.get("_type") != STATEMENT_TYPE or not isinstance(statement.get("predicate"), dict):
        raise RecordRefused("malformed", "not an in-toto statement", where=where)
    kind = _NAMES.get(str(statement.get("predicateType")))
    if kind is None:
        shown = ascii(str(statement.get("predicateType")))[:120]
        raise RecordRefused("extra", f"a statement of the unknown kind {shown}", where=where)
    signatures = _signatures(envelope["signatures"], where)
    return SignedStatement(kind, payload, statement, signatures, line if _BUNDLE in document else None)


def _signatures(listed: Any, where: str) -> tuple[tuple[str, bytes], ...]:
    if not isinstance(listed, list) or len(listed) > _SIGNATURES:
        raise RecordRefused("malformed", "the signatures are no list of a few", where=where)
    if not listed:
        raise RecordRefused("unsigned", "the statement is not signed", where=where)
    found = []
    for entry in listed:
        if not isinstance(entry, dict) or not isinstance(entry.get("sig"), str):
            raise RecordRefused("malformed", "a signature is malformed", where=where)
        found.append((str(entry.get("keyid", "")), _base64(entry["sig"], where)))
    return tuple(found)


def _object(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object in canonical form: what two parsers read differently has no such form."""
    try:
        document = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        canonical = canonical_json(document)
    except _Duplicate as reason:
        raise RecordRefused("duplicate-key", f"the key {reason.args[0]} stands twice", where=where) from None
    except (ValueError, RecursionError) as reason:
        raise RecordRefused("malformed", f"not JSON: {reason}"[:200], where=where) from None
    if not isinstance(document, dict):
        raise RecordRefused("malformed", "not a JSON object", where=where)
    if canonical != data:
        raise RecordRefused("not-canonical", "the JSON is not in canonical form", where=where)
    return document


class _Duplicate(Exception):
    pass


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Duplicate(ascii(key)[:80])
        found[key] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _base64(text: Any, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise RecordRefused("malformed", "not base64", where=where) from None
    if base64.b64encode(data).decode() != text:
        raise RecordRefused("not-canonical", "base64 with stray bits", where=where)
    return data
