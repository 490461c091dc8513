"""``mixpeek plugin verify``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from toolchain.cli.keys import key_store
from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode
from toolchain.publish.record.policy import VerifyPolicy, read_policy
from toolchain.publish.record.verify import VerifiedRelease, VerifyOrder, verify_release


@click.command("verify")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FILE", help="Its record [default: ARCHIVE.intoto.jsonl]."
)
@click.option(
    "--policy", type=click.Path(path_type=Path), metavar="FILE", help="What you ask of a release (TOML)."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(archive: Path, record: Path | None, policy: Path | None, *, as_json: bool) -> None:
    """Verify a release without the network: its archive, its record, and who signed it.

    The first thing that does not hold is named, and the exit status is 1.
    """
    demands = read_policy(policy) if policy is not None else VerifyPolicy()
    trusted = key_store(os.environ).trusted()
    finish(_result(verify_release(VerifyOrder(archive, trusted, record, demands))), as_json=as_json)


def _result(verified: VerifiedRelease) -> Result:
    subject = verified.subject
    width = max(len(fact.fact) for fact in verified.facts)
    title = f"{subject.name} {subject.version}, signed by {verified.signer}"
    lines = [f"{title}, {verified.verified_at:%Y-%m-%d %H:%M} UTC", ""]
    lines += [f"  {fact.fact:<{width}}  {fact.value}  [{fact.source}]" for fact in verified.facts]
    lines += ["", "VERIFIED"]
    data = {
        "name": subject.name,
        "version": subject.version,
        "signer": verified.signer,
        "verified_at": verified.verified_at.isoformat(),
        "archive_sha256": subject.reading.archive_sha256,
        "statements": {kind: signed.sha256 for kind, signed in verified.statements.items()},
        "facts": [fact.to_json() for fact in verified.facts],
    }
    return Result("plugin verify", ExitCode.PASSED, "\n".join(lines), data)
