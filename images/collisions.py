"""Files that two wheels of one lock bring with different bytes.

The later layer wins, and within one the later by name, in every build alike; in every installer one of them wins
silently. So a package could replace what another one brings. For the packages that the guest itself imports that
is no accident that we let happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from images.fragments import Fragment
from toolchain.core.errors import DependencyFault

_SUFFIXES: Final = (".py", ".so")
# The guest's modules, and the packages that bring them.
_GUARDED: Final = {
    "annotated_types": "annotated-types",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic-core",
    "typing_extensions": "typing-extensions",
}


def collisions(fragments: Sequence[Fragment]) -> list[str]:
    """What collides, one sentence for each Python file or library.

    ``fragments`` are in the order of the layers: the later one's file is kept.
    """
    owners: dict[str, tuple[str, str]] = {}
    found = []
    for fragment in fragments:
        for path, digest in fragment.digests.items():
            owner = owners.get(path)
            if owner is not None and owner[1] != digest and path.endswith(_SUFFIXES):
                names = f"{owner[0]} and {fragment.wheel.name}"
                found.append(f"two packages bring {path}, {names}: the latter's is kept")
            owners[path] = (fragment.wheel.name, digest)
    return found


def left_out(fragments: Sequence[Fragment]) -> list[str]:
    """What was not installed although the wheel brings it, one sentence for each file with the reason."""
    return [
        f"{name} of {fragment.wheel.name} is left out: {_why(name)}"
        for fragment in fragments
        for name in fragment.left_out
    ]


def _why(name: str) -> str:
    if name.endswith(".pyc"):
        return "it is bytecode in the place of a source, which no scan can read"
    return "it would run code at every start of an interpreter"


def refuse_stand_ins(fragments: Sequence[Fragment]) -> None:
    """Raises ``DependencyFault`` when a wheel puts a file of its own into a package that the guest imports.

    Beside them too: ``typing_extensions/__init__.py`` is imported before ``typing_extensions.py``.
    """
    by_name = {fragment.wheel.name: fragment for fragment in fragments}
    for fragment in fragments:
        for path, digest in fragment.digests.items():
            guarded = _GUARDED.get(path.partition("/")[0].partition(".")[0], fragment.wheel.name)
            owner = by_name.get(guarded)
            if guarded == fragment.wheel.name or (owner is not None and owner.digests.get(path) == digest):
                continue
            raise DependencyFault(
                f"{fragment.wheel.filename} brings {path}, in the place of"
                f" {owner.wheel.filename if owner else guarded}, which the platform itself imports",
                remedy=f"do without {fragment.wheel.name}, or choose another version of it",
            )


def refuse_covered_folders(fragments: Sequence[Fragment]) -> None:
    """Raises ``DependencyFault`` when a path is a file in one piece and a folder in another.

    Of two such layers the later one's file takes the place of the whole folder: a small wheel's file ``torch``
    would remove the package ``torch/``. Within one layer an extraction would fail.
    """
    folders: dict[str, Fragment] = {}
    for fragment in fragments:
        for folder in {path.rpartition("/")[0] for path in fragment.digests}:
            above = folder
            while above and above not in folders:
                folders[above] = fragment
                above = above.rpartition("/")[0]
    for fragment in fragments:
        if covered := fragment.digests.keys() & folders.keys():
            path = min(covered)
            raise DependencyFault(
                f"{fragment.wheel.filename} brings a file {path}, in the place of a folder of"
                f" {folders[path].wheel.filename}",
                remedy=f"do without {fragment.wheel.name}, or choose another version of it",
            )


def note(found: Sequence[str]) -> str:
    """``found`` for the line of a phase; empty when there is none."""
    if not found:
        return ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{found[0]}{more}"
