"""Where things lie in an image, and as whom its programs run: what builds images and what runs them agree here."""

from __future__ import annotations

from typing import Final

ROOT: Final = "opt/mixpeek"
PYTHON: Final = f"/{ROOT}/python"
RUNTIME: Final = f"/{ROOT}/runtime"
DEPENDENCIES: Final = f"/{ROOT}/dependencies"
PYTEST: Final = f"/{ROOT}/pytest"
PLUGINS: Final = f"/{ROOT}/plugin"

# Not root, not a user of any distribution, the number that distroless images made customary.
USER_ID: Final = 65532
USER: Final = f"{USER_ID}:{USER_ID}"


def plugin_directory(name: str) -> str:
    """Where the code of plugin ``name`` lies in its image."""
    return f"{PLUGINS}/{name}"
