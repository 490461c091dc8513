"""What `mixpeek doctor --fix` may do: only what can do no harm and undoes nothing."""

from __future__ import annotations

from dataclasses import replace

from toolchain.core.errors import MixpeekError
from toolchain.core.reporter import Reporter
from toolchain.doctor.model import Surroundings
from toolchain.doctor.survey import DoctorOptions, survey


def repair(options: DoctorOptions, reporter: Reporter) -> tuple[Surroundings, tuple[str, ...]]:
    """Start an installed engine, make the base image; the surroundings afterwards and what was done, in words.

    What could not be repaired is said as well, and the checks that follow show it as it is.
    """
    may_start = replace(options, connect=replace(options.connect, may_start=True))
    surroundings = survey(may_start, reporter)
    done = []
    if surroundings.engine is None:
        return surroundings, ()
    if surroundings.engine.started:
        done.append(f"started an engine: {surroundings.engine.found} at {surroundings.engine.address}")
    try:
        made = _make_base(surroundings, reporter)
    except MixpeekError as fault:
        return surroundings, (*done, f"could not make the base image: {fault.message}; {fault.remedy}")
    if made is None:
        return surroundings, tuple(done)
    # Looked at again with the same engine, not found again: "started" is still what became of it.
    found = surroundings.engine
    afterwards = survey(may_start, reporter)
    if afterwards.engine is not None:
        afterwards.engine.close()
    return replace(afterwards, engine=found), (*done, made)


def _make_base(surroundings: Surroundings, reporter: Reporter) -> str | None:
    from images.base import ensure_base
    from images.files import Cache

    assert surroundings.engine is not None
    base = ensure_base(surroundings.engine, reporter, Cache(surroundings.cache))
    if not base.made:
        return None
    origin = "pulled" if base.origin == "pulled" else "from the distribution's packages"
    return f"made the base image {base.tag}, {origin} ({base.source})"
