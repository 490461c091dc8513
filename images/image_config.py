"""An image as a value: its configuration and layers give its id before any engine has seen it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from images.layout import EPOCH
from toolchain.core.digests import canonical_json, sha256_bytes
from toolchain.core.tarball import Part, chunks, total_size

# What an engine's own configuration carries beyond these depends on its version and on the clock.
RUN_KEYS: Final = ("User", "Env", "WorkingDir", "Cmd", "Entrypoint")


@dataclass(frozen=True)
class Layer:
    """A layer as a tar: ``diff_id`` is ``sha256:`` and the digest of ``parts`` joined; ``size`` counts bytes.

    ``parts`` is empty for a layer that only the engine holds.
    """

    role: str
    diff_id: str
    size: int
    parts: tuple[Part, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ImageConfig:
    """An image: its platform, run configuration, labels and layers, lowest first."""

    architecture: str
    layers: tuple[Layer, ...]
    run: Mapping[str, Any]
    labels: Mapping[str, str]

    @property
    def document(self) -> bytes:
        """The configuration as stored; the same for every engine."""
        run = {key: self.run[key] for key in RUN_KEYS if self.run.get(key)}
        return canonical_json(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": EPOCH,
                "config": {**run, "Labels": dict(sorted(self.labels.items()))},
                "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in self.layers]},
                "history": [{"created": EPOCH, "created_by": f"mixpeek {layer.role}"} for layer in self.layers],
            }
        )

    @property
    def id(self) -> str:
        """The image id: ``sha256:`` and the digest of the configuration."""
        return f"sha256:{sha256_bytes(self.document)}"

    def on_top(self, layers: tuple[Layer, ...], labels: Mapping[str, str]) -> ImageConfig:
        """This image with ``layers`` above and ``labels`` added."""
        return ImageConfig(self.architecture, (*self.layers, *layers), self.run, {**self.labels, **labels})


def layer_of(role: str, parts: tuple[Part, ...]) -> Layer:
    """The layer whose tar is ``parts`` joined."""
    import hashlib

    digest = hashlib.sha256()
    for chunk in chunks(parts):
        digest.update(chunk)
    return Layer(role, f"sha256:{digest.hexdigest()}", total_size(parts), parts)
