"""Which Python runs an author's plugin when it runs on this machine.

The author's own, when it has what the plugin needs; else an environment that uv makes from the plugin's declared
dependencies, wheels only, and that is kept for the next run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from images.environment import index_url
from images.files import Cache
from images.layout import PLATFORM_REQUIREMENTS, PYTEST_REQUIREMENTS
from images.requirements import RequirementSet
from images.resolver_refusals import explain
from toolchain.check.borrowed import borrowed_imports
from toolchain.core.digests import sha256_json
from toolchain.core.errors import ProcessFailed, UsageFault
from toolchain.core.process import run
from toolchain.core.reporter import Reporter

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_PROBE = """
import importlib.metadata as metadata, json, sys
found = {}
for name in json.loads(sys.argv[1]):
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        found[name] = None
version = "%d.%d" % sys.version_info[:2]
print(json.dumps({"versions": found, "markers": {"python_version": version, "sys_platform": sys.platform}}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python to run the plugin, and why this one."""

    python: Path
    reason: str


@dataclass(frozen=True)
class Wanted:
    """What the interpreter must offer: requirement lines as PEP 508; ``asked`` knows where they were written.

    ``imports`` are the names that the plugin imports: our own environment serves only one that declares them.
    """

    requirements: tuple[str, ...]
    asked: RequirementSet = field(default_factory=RequirementSet)
    imports: frozenset[str] = frozenset()

    @property
    def has_extras(self) -> bool:
        """Whether a requirement asks for extras of a distribution."""
        return any("[" in line.partition(";")[0] for line in self.requirements)

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything that the guest and the plugin import."""
        return (*PLATFORM_REQUIREMENTS, *PYTEST_REQUIREMENTS, *self.requirements)


@dataclass(frozen=True)
class Host:
    """What this machine offers: environment variables and a cache folder."""

    environment: Mapping[str, str]
    cache: Path


def choose_interpreter(
    given: Path | None, root: Path, wanted: Wanted, host: Host, reporter: Reporter
) -> Interpreter:
    """The interpreter ``given`` by the user; else the first of the plugin's ``.venv``, the active environment and
    our own that satisfies ``wanted``; else a prepared one.

    Raises ``UsageFault`` when the given one cannot run or lacks something, ``DependencyFault`` when none can be
    prepared.
    """
    if given is not None:
        missing = _missing(given, wanted)
        if missing:
            raise UsageFault(
                f"that Python lacks {', '.join(missing)}",
                where=str(given),
                remedy=f"{given} -m pip install {' '.join(repr(line) for line in missing)}",
            )
        return Interpreter(given, "--python")
    # Whether an extra is there cannot be told from names: then only an environment of our own is sure to have it.
    candidates = [] if wanted.has_extras else _candidates(root, wanted, host.environment)
    for python, reason in candidates:
        # One that does not even start is passed over like one that lacks something.
        with suppress(UsageFault):
            if python.exists() and not _missing(python, wanted):
                return Interpreter(python, reason)
    return _prepare(wanted, host, reporter)


def _candidates(root: Path, wanted: Wanted, environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    own = Path(sys.executable)
    yield root / ".venv/bin/python", "the plugin's .venv"
    active = environment.get("VIRTUAL_ENV")
    if active and Path(active) != own.parent.parent:
        yield Path(active) / "bin/python", "the active environment"
    if not borrowed_imports(wanted.imports, wanted.lines):
        yield own, "the Python that runs mixpeek"


def _missing(python: Path, wanted: Wanted) -> list[str]:
    """The requirement lines that ``python`` does not satisfy."""
    from packaging.requirements import Requirement

    needed = [Requirement(line) for line in wanted.lines]
    names = json.dumps(sorted({requirement.name for requirement in needed}))
    # -I: a PYTHONPATH of ours must not make another Python look better equipped than it is.
    try:
        answer = run([str(python), "-I", "-c", _PROBE, names], timeout=30)
        told = json.loads(answer.stdout)
        versions, markers = told["versions"], told["markers"]
    except (ProcessFailed, ValueError, KeyError, TypeError) as reason:
        why = reason.message if isinstance(reason, ProcessFailed) else answer.stderr.strip()[-300:]
        why = why or "it does not answer as a Python does"
        raise UsageFault(f"that Python does not run: {why}", where=str(python), remedy="choose another") from None
    return [
        str(requirement)
        for requirement in needed
        if (requirement.marker is None or requirement.marker.evaluate(markers))
        and not _satisfied(requirement, versions)
    ]


def _satisfied(requirement: Requirement, versions: Mapping[str, str | None]) -> bool:
    """Whether the version is there. What an extra brings is not looked for: the import says so, by name."""
    version = versions.get(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _prepare(wanted: Wanted, host: Host, reporter: Reporter) -> Interpreter:
    """An environment of the cache for exactly these requirements, made when it is not there."""
    key = sha256_json({"python": sys.version, "executable": sys.executable, "lines": sorted(wanted.lines)})
    folder = host.cache / "environments" / key[:24]
    python = folder / "bin/python"
    # The lock: two runs at once would make the same folder under each other.
    with reporter.phase("environment") as phase, Cache(host.cache).lock(f"environment-{key[:24]}"):
        if (folder / "complete").exists() and not _missing(python, wanted):
            phase.result = "cached, made from the plugin's dependencies"
        else:
            phase.advance("installing the plugin's dependencies")
            _install(folder, wanted, host.environment)
            (folder / "complete").touch()
            phase.result = f"made from the plugin's dependencies ({len(wanted.requirements)})"
    return Interpreter(python, "an environment made from the plugin's dependencies")


def _install(folder: Path, wanted: Wanted, environment: Mapping[str, str]) -> None:
    import uv

    program = uv.find_uv_bin()
    folder.parent.mkdir(parents=True, exist_ok=True)
    base = [program, "--no-config"]
    made = run([*base, "venv", "--clear", "--python", sys.executable, str(folder)], timeout=120, env=environment)
    python = str(folder / "bin/python")
    # One argument for each line, after "--": never a file, in which an option could hide.
    # Bytecode is compiled once here: the guest runs with -B, and would compile pandas anew each time (1.5 s).
    install = [
        *base,
        "pip",
        "install",
        "--python",
        python,
        "--only-binary",
        ":all:",
        "--compile-bytecode",
        "--",
        *wanted.lines,
    ]
    settings = dict(environment)
    if index := index_url():
        settings["UV_DEFAULT_INDEX"] = index
    done = run(install, timeout=900, env=settings) if made.ok else made
    if not made.ok:
        raise ProcessFailed(
            f"no environment could be made: {made.stderr.strip()[-500:]}",
            where=str(folder),
            remedy="check the space and the permissions of the cache, or name a Python with --python",
        )
    if not done.ok:
        raise explain(done.stderr, wanted.asked)
