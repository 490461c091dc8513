"""What images' labels are called, the versions that enter cache keys, and what every image holds.

Where things lie in an image stands in ``toolchain.core.image_layout``, which those who run images read as well.

Raising ``LAYOUT_VERSION`` discards every cached layer: do it when the bytes that the same inputs give change.
"""

from __future__ import annotations

from typing import Final

from toolchain.core.image_layout import ROOT

LAYOUT_VERSION: Final = 5

BASE_FACTS: Final = f"{ROOT}/base.json"

# One moment for every file and every image: a clock would make equal inputs differ.
EPOCH: Final = "1970-01-01T00:00:00Z"

LABEL: Final = "com.mixpeek."
LABEL_ROLE: Final = LABEL + "role"
LABEL_PLUGIN: Final = LABEL + "plugin"
LABEL_LOCK: Final = LABEL + "lock"
LABEL_TESTS: Final = LABEL + "tests"
LABEL_BASE: Final = LABEL + "base"
# On images that an engine built itself: the id that the image would have from our archive.
LABEL_IMAGE: Final = LABEL + "image"
# "cuda" on images for GPUs; those without it are for the CPU.
LABEL_ACCELERATOR: Final = LABEL + "accelerator"
LABEL_RECIPE: Final = LABEL + "base.recipe"
LABEL_ORIGIN: Final = LABEL + "base.origin"
LABEL_SOURCE: Final = LABEL + "base.source"
LABEL_SOURCE_ID: Final = LABEL + "base.source-id"
LABEL_PYTHON: Final = LABEL + "base.python"
LABEL_GLIBC: Final = LABEL + "base.glibc"

# In a layer such a name means that another file goes: ``.wh.x`` removes ``x``, ``.wh..wh..opq`` all of a folder.
WHITEOUT: Final = ".wh."

# A wheel that brings one of these would stand in for the platform's own package on ``sys.path``.
PRIVATE_NAMES: Final = frozenset({"engine", "mixpeek", "sandbox", "shared"})
PRIVATE_MODULES: Final = frozenset({"engine", "sandbox", "shared"})

# What the guest itself imports: always resolved together with the plugin's own.
PLATFORM_REQUIREMENTS: Final = ("numpy>=1.26", "pandas>=2.2", "pyarrow>=17", "pydantic>=2.7")
# Of those, the large ones: every image has them, so they lie lowest.
PLATFORM_NAMES: Final = frozenset({"numpy", "pandas", "pyarrow"})
# Ours, so that a plugin cannot choose the program that judges it.
PYTEST_REQUIREMENTS: Final = ("pytest>=8.2",)
