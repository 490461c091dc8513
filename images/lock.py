"""From requirements to exact wheels: one run of the resolver, in a cleared environment, kept for good.

The same requirements, target, resolver version and index give the same lock until ``upgrade`` is asked for. A lock
does not age: a build that changes by itself overnight is the fault that locks exist to prevent, and freshness is a
decision of the author. What the index no longer serves shows up as a failed download with that remedy.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from images.base.catalogue import Accelerator
from images.environment import index_url, network_variables, program_path
from images.files import Cache, touch
from images.layout import PLATFORM_REQUIREMENTS
from images.pylock import Lock, parse_pylock
from images.requirements import RequirementSet
from images.resolver_refusals import explain
from images.target import Target
from toolchain.core.digests import sha256_json
from toolchain.core.errors import DependencyFault
from toolchain.core.process import run

_DEADLINE: Final = 300.0
_FINDING: Final = threading.Lock()


@dataclass(frozen=True)
class Resolution:
    """A lock and whether it was at hand."""

    lock: Lock
    cached: bool


def resolve(  # noqa: PLR0913 - each is a part of the question
    requirements: RequirementSet,
    target: Target,
    cache: Cache,
    *,
    platform: Sequence[str] = PLATFORM_REQUIREMENTS,
    accelerator: Accelerator = "cpu",
    upgrade: bool = False,
    before: Callable[[], None] | None = None,
) -> Resolution:
    """The lock for ``requirements`` plus the platform's own on ``target``.

    ``before`` is called when the resolver has to run, before it does.
    ``accelerator`` keeps the locks of CPU and CUDA images apart: upgrading one leaves the other as it is.
    Raises ``DependencyFault`` when something was refused or cannot be resolved, ``NetworkUnavailable`` when the
    index does not answer.
    """
    if requirements.findings:
        first = requirements.findings[0]
        raise DependencyFault(first.message, where=_place(first.file, first.line), remedy=first.remedy)
    lines = sorted({*requirements.lines, *platform})
    kept = cache.root / "locks-resolved" / f"{_key(lines, target, accelerator)}.toml"
    if not upgrade and (known := _known(kept, target)):
        return Resolution(known, cached=True)
    if before is not None:
        before()
    text = _run_resolver(lines, requirements, target, cache)
    lock = parse_pylock(text, target)
    cache.write(kept, text.encode())
    return Resolution(lock, cached=False)


def _known(kept: Path, target: Target) -> Lock | None:
    """The lock at ``kept``; ``None`` without one, and for one that a disk damaged, which then goes."""
    if not kept.is_file():
        return None
    try:
        lock = parse_pylock(kept.read_text(encoding="utf-8"), target)
    except (OSError, UnicodeDecodeError, DependencyFault):
        # It was read once before it was kept, so this says nothing about the plugin.
        kept.unlink(missing_ok=True)
        return None
    touch(kept)
    return lock


def _place(file: str | None, line: int | None) -> str | None:
    return file if file is None or line is None else f"{file}:{line}"


def _key(lines: list[str], target: Target, accelerator: Accelerator) -> str:
    from importlib.metadata import version

    apart = [] if accelerator == "cpu" else [accelerator]
    return sha256_json([lines, target.to_json(), version("uv"), index_url(), *apart])


def _run_resolver(lines: list[str], requirements: RequirementSet, target: Target, cache: Cache) -> str:
    with tempfile.TemporaryDirectory(prefix="mixpeek-resolve-") as folder:
        work = Path(folder)
        (work / "requirements.in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        completed = run(
            [_resolver(), *_arguments(target, cache)],
            timeout=_DEADLINE,
            env=_environment(work),
            cwd=work,
        )
        if not completed.ok:
            raise explain(completed.stderr, requirements)
        return (work / "pylock.toml").read_text(encoding="utf-8")


def _resolver() -> str:
    import uv

    # uv asks sysconfig, whose first use is not safe in two threads (CPython 3.11 shows a half-filled table).
    with _FINDING:
        return str(uv.find_uv_bin())


def _arguments(target: Target, cache: Cache) -> list[str]:
    return [
        "pip",
        "compile",
        "--no-config",
        "--quiet",
        "--color=never",
        "--cache-dir",
        str(cache.folder("resolver")),
        "--python",
        sys.executable,
        "--no-python-downloads",
        "--python-platform",
        target.uv_platform,
        "--python-version",
        target.python,
        "--only-binary",
        ":all:",
        "--index-strategy",
        "first-index",
        "--keyring-provider",
        "disabled",
        "--no-header",
        "--format",
        "pylock.toml",
        "--output-file",
        "pylock.toml",
        "requirements.in",
    ]


def _environment(work: Path) -> dict[str, str]:
    """Nothing of the user's but the network's variables: uv and netrc files find an empty home."""
    environment = {**network_variables(), "PATH": program_path(), "HOME": str(work), "UV_HTTP_RETRIES": "2"}
    if index := index_url():
        # In the environment, not in the arguments: an index may carry a password, and anyone may read arguments.
        environment["UV_DEFAULT_INDEX"] = index
    return environment
