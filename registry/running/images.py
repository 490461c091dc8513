"""From a kept archive to an image and a prepared job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.build import BuildRequest, build
from images.requirements import read_requirements
from registry.database.models import Release
from registry.storage import KeptArchive, Storage, fetch_kept
from sandbox.batches import BatchJob
from sandbox.conversation import Job, Sample
from toolchain.building import describe_image, image_files, kept_lock
from toolchain.check.reading import read_plugin
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import PluginFault
from toolchain.core.image_layout import plugin_directory
from toolchain.core.reporter import SilentReporter
from toolchain.publish.archive import unpack_archive

EngineFactory = Callable[[], ContainerEngine]


@dataclass(frozen=True)
class Runnable:
    """A release that can be run: its package, its image, and what is recorded of that."""

    package: str
    image: str
    described: dict[str, Any]
    has_realtime: bool
    sample: Sample | None

    def job(self, stages: tuple[str, ...], sample: Sample | None) -> Job:
        """A job for a session over the image."""
        return Job(self.package, plugin_directory(self.package), stages, sample=sample)

    def batch_job(self, parameters: Mapping[str, Any]) -> BatchJob:
        """The pipeline over batches; a row that makes a step raise is set aside, not the end."""
        root = plugin_directory(self.package)
        return BatchJob(self.package, root, parameters, on_row_error="set_aside")


def fetch_runnable(storage: Storage, release: Release, folder: Path, engine: ContainerEngine) -> Runnable:
    """Fetch a release's kept archive below ``folder`` and build its image.

    Raises as ``build_runnable`` does, and ``StorageFault``.
    """
    kept = KeptArchive(release.archive_key, release.archive_sha256, release.archive_bytes)
    archive = fetch_kept(storage, kept, folder / "archive.tar.gz")
    return build_runnable(archive, folder / "tree" / release.name, engine)


def build_runnable(archive: Path, folder: Path, engine: ContainerEngine) -> Runnable:
    """Unpack a verified archive below ``folder`` and build its image; nothing of it is run.

    Raises ``PluginFault`` and its kin for what the plugin lacks, ``EngineUnavailable`` and its kin for our side.
    """
    from toolchain.check.samples_file import SampleChoice, find_sample

    unpack_archive(archive, folder)
    reading = read_plugin(folder)
    requirements = read_requirements(reading.tree.root, reading.manifest.dependencies)
    if requirements.findings:
        first = requirements.findings[0]
        raise PluginFault(first.message, where=first.file, remedy=first.remedy)
    request = BuildRequest(
        name=reading.package,
        files=image_files(reading.tree),
        requirements=requirements,
        lock=kept_lock(reading.tree, "cpu", engine.architecture),
    )
    image = build(request, engine, SilentReporter())
    sample, _ = find_sample(SampleChoice(), reading.tree)
    return Runnable(reading.package, image.id, describe_image(image), reading.has_realtime, sample)
