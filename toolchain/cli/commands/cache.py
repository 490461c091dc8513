"""``mixpeek cache``: what is kept to make the next build quick, and how to have the space back."""

from __future__ import annotations

import click

from images.cache import LIMIT_BYTES, prune, show
from images.environment import cache_directory
from images.files import Cache
from toolchain.cli.output import Result, finish
from toolchain.cli.sizes import Size
from toolchain.core.errors import ExitCode
from toolchain.core.sizes import shown_bytes

_DAY = 86_400.0
_KEPT = Size(least=0)
_KEPT_WHY = f"""
Without options only what is beyond {LIMIT_BYTES >> 30} GiB goes, and nothing that was used within the last hour.
Give --keep SIZE or --unused-days DAYS to remove more."""


@click.group("cache")
def command() -> None:
    """Show or prune what builds keep for the next one."""


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show_command(*, as_json: bool) -> None:
    """Show what the cache holds, by kind."""
    cache = Cache(cache_directory())
    uses = show(cache)
    total = sum(use.bytes for use in uses)
    lines = [f"{shown_bytes(use.bytes):>12}  {use.files:6} files  {use.kind}: {use.meaning}" for use in uses]
    lines.append(f"{shown_bytes(total):>12}  in {cache.root}")
    data = {"path": str(cache.root), "bytes": total, "kinds": [vars(use) for use in uses]}
    finish(Result("cache show", ExitCode.PASSED, "\n".join(lines), data), as_json=as_json)


@command.command("prune")
@click.option(
    "--keep", type=_KEPT, metavar="SIZE", help="Keep the most recently used, as 5g; 0 empties the cache."
)
@click.option(
    "--unused-days", type=click.FloatRange(min=0), metavar="DAYS", help="Remove what was unused so long."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def prune_command(keep: int | None, unused_days: float | None, *, as_json: bool) -> None:
    """Remove what was least recently used; nothing that a build under way needs."""
    cache = Cache(cache_directory())
    unused = None if unused_days is None else unused_days * _DAY
    done = (
        prune(cache, unused_seconds=unused)
        if keep is None
        else prune(cache, keep_bytes=keep, unused_seconds=unused)
    )
    removed, left = shown_bytes(done.bytes), shown_bytes(done.left_bytes)
    text = f"removed {done.files} file{'' if done.files == 1 else 's'}, {removed}; {left} left in {cache.root}"
    if keep is None and unused is None and not done.files:
        text += _KEPT_WHY
    finish(Result("cache prune", ExitCode.PASSED, text, {"path": str(cache.root), **vars(done)}), as_json=as_json)
