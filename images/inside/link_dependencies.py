"""Makes the interpreter's own folder for packages lead to the image's dependencies, for Dockerfile.gpu.

    python3 link_dependencies.py [ROOT]

CUDA's wheels find each other through ``site.getsitepackages()``, whatever ``sys.path`` says: cupy 14.2 with
cuda-pathfinder 1.9 imports from a folder on ``sys.path`` and then does not find NVRTC in it (measured).
LD_LIBRARY_PATH would do as well and is no choice: it would let a wheel put its own libc under the guest's
supervisor, which is started with ``-S`` and never looks here.

Uses only the standard library and needs no shell. ROOT is as in ``prepare.py``.
"""

import shutil
import site
import sys
from pathlib import Path

DEPENDENCIES = Path("/opt/mixpeek/dependencies")


def main(root: Path = Path("/")) -> None:
    """Replace the first folder that ``site`` names; what a distribution put there is of no use under ``-S``."""
    place = root / Path(site.getsitepackages()[0]).relative_to("/")
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(DEPENDENCIES)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
