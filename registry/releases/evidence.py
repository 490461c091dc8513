"""The record that came with an archive, compared with what we found ourselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from registry.releases.facts import Fact, Standing

if TYPE_CHECKING:
    from registry.releases.steps import Work


def prove(work: Work, tree: Path, trusted_keys: Path | None) -> list[Fact]:  # noqa: ARG001
    """The facts of the table that need the record, the archive's reading and our scan."""
    reading, scanned = work.results["reading"], work.results["scan"]
    return [
        Fact(
            "archive.tar_sha256", Standing.REVERIFIED, None, reading["tar_sha256"], "written anew from its files"
        ),
        Fact("archive.files_sha256", Standing.REVERIFIED, None, reading["files_sha256"]),
        Fact("scan.passed", Standing.REVERIFIED, None, "yes", f"rules {scanned['rules']['sha256'][:12]}"),
        Fact("record", Standing.NOT_CHECKED, None, None, "no record was sent"),
    ]
