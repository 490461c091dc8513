"""What a verifier asks of a release beyond that it is whole and signed: a TOML file of the verifier's own."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from toolchain.core.errors import UsageFault
from toolchain.core.toml import parse_toml

_LIMIT: Final = 256 << 10


@dataclass(frozen=True)
class VerifyPolicy:
    """The demands; the defaults are those of a verifier who trusts the keys that ``mixpeek key trust`` named.

    ``signers`` are names or ids of trusted keys, empty for any of them. ``identity`` and ``issuer`` accept a
    Sigstore signature. ``max_age_days`` bounds the age of the verdict. ``require_sandbox`` asks that the tests ran
    in the sandbox, ``require_strict_scan`` that the stricter list was applied. ``scan_rules`` and
    ``sandbox_policies`` name accepted SHA-256 digests, empty for any. ``forbidden_packages`` may not be among the
    dependencies.
    """

    signers: tuple[str, ...] = ()
    identity: str | None = None
    issuer: str | None = None
    max_age_days: float | None = None
    require_sandbox: bool = True
    require_strict_scan: bool = False
    scan_rules: tuple[str, ...] = ()
    sandbox_policies: tuple[str, ...] = ()
    forbidden_packages: tuple[str, ...] = ()


_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "signers": list,
    "identity": str,
    "issuer": str,
    "max_age_days": (int, float),
    "require_sandbox": bool,
    "require_strict_scan": bool,
    "scan_rules": list,
    "sandbox_policies": list,
    "forbidden_packages": list,
}


def read_policy(path: Path) -> VerifyPolicy:
    """The policy in a file. Raises ``UsageFault`` for a file that cannot be read and a key that means nothing."""
    try:
        with path.open("rb") as stream:
            document = parse_toml(stream.read(_LIMIT))
    except OSError as reason:
        raise UsageFault(
            f"the policy cannot be read: {reason.strerror}", where=str(path), remedy="name a TOML file"
        ) from None
    except ValueError as reason:
        raise UsageFault(f"the policy is no TOML: {reason}", where=str(path), remedy="correct the line") from None
    values = {key.replace("-", "_"): _value(path, key, value) for key, value in document.items()}
    policy = VerifyPolicy(**values)
    if (policy.identity is None) != (policy.issuer is None):
        raise UsageFault("identity and issuer belong together", where=str(path), remedy="give both or neither")
    return policy


def _value(path: Path, key: str, value: Any) -> Any:
    name = key.replace("-", "_")
    known = [field.name.replace("_", "-") for field in fields(VerifyPolicy)]
    if name not in _KINDS:
        near = difflib.get_close_matches(key, known, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        raise UsageFault(f"unknown key {key!r}", where=str(path), remedy=remedy)
    kind = _KINDS[name]
    number = isinstance(value, bool) and kind is not bool
    texts = not isinstance(value, list) or all(isinstance(item, str) for item in value)
    if number or not isinstance(value, kind) or not texts:
        raise UsageFault(f"{key!r} has a value of the wrong kind", where=str(path), remedy="see docs/publish.md")
    return tuple(value) if isinstance(value, list) else value
