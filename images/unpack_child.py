"""The child of ``images.unpacking``: unpacks one wheel after the other, within limits of its own.

Its arguments are the cache's folder and the bytes of memory that it may take. stdin has a JSON line for each
wheel, stdout the answer to each: the problem, or ``null`` when the piece is in the cache.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

from images.files import Cache
from images.fragments import Fragments
from images.pylock import LockedWheel
from images.wheel import refusal
from toolchain.core.errors import MixpeekError


def main() -> None:
    """Answer until stdin ends."""
    memory = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fragments = Fragments(Cache(Path(sys.argv[1])))
    for line in sys.stdin.buffer:
        request = json.loads(line)
        wheel = LockedWheel(**request["wheel"])
        problem = _problem(fragments, Path(request["path"]), wheel, request["root"])
        sys.stdout.write(json.dumps({"problem": problem}) + "\n")
        sys.stdout.flush()


def _problem(fragments: Fragments, path: Path, wheel: LockedWheel, root: str) -> dict[str, Any] | None:
    try:
        fragments.make(path, wheel, root)
    except MemoryError:
        what = f"reading it takes more than {int(sys.argv[2]) >> 20} MiB"
        problem: MixpeekError = refusal(wheel.filename, what)
    except MixpeekError as reason:
        problem = reason
    else:
        return None
    return {"id": problem.id, "message": problem.message, "where": problem.where, "remedy": problem.remedy}
