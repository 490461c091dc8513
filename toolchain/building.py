"""``plugin build`` as one library call: read the plugin, build its image, keep its lock beside it."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images import plugin_lock
from images.base.catalogue import Accelerator
from images.build import BuildRequest, BuiltImage, build, platform_architecture, require_tag
from images.code import SourceFile
from images.environment import cache_directory, index_url
from images.files import Cache
from images.requirements import RequirementSet, read_requirements
from images.sbom import bill_of_materials
from toolchain.check.reading import Reading, read_plugin
from toolchain.core.containers import connect
from toolchain.core.errors import UsageFault
from toolchain.core.files import write_whole
from toolchain.core.findings import Finding, Severity, ordered
from toolchain.core.reporter import Reporter
from toolchain.plugin.tree import PluginTree


@dataclass(frozen=True)
class BuildOrder:
    """What to build: ``locked`` takes the kept lock or fails, ``upgrade`` resolves anew, ``sbom`` is a file."""

    path: Path
    accelerator: Accelerator = "cpu"
    tag: str | None = None
    platform: str | None = None
    locked: bool = False
    upgrade: bool = False
    sbom: Path | None = None


@dataclass(frozen=True)
class BuildOutcome:
    """An image, or the findings that prevented it; ``lock`` is its file, ``lock_changed`` if written now.

    ``gpu_memory_gb`` is what the plugin's manifest asks of a GPU.
    """

    findings: tuple[Finding, ...]
    image: BuiltImage | None = None
    lock: Path | None = None
    lock_changed: bool = False
    gpu_memory_gb: float | None = None


def build_plugin(order: BuildOrder, reporter: Reporter) -> BuildOutcome:
    """Build the plugin's image without executing anything of it.

    Raises ``UsageFault``, and what ``images.build.build`` raises.
    """
    if order.locked and order.upgrade:
        raise UsageFault("--locked and --upgrade exclude each other", remedy="give one of them")
    if order.tag is not None:
        require_tag(order.tag)
    index_url()  # one that makes no sense is told before anything is made
    reading = read_plugin(order.path)
    requirements = read_requirements(reading.tree.root, reading.manifest.dependencies)
    findings = ordered([*reading.structure_findings, *reading.identity_findings, *requirements.findings])
    if any(finding.severity is Severity.ERROR for finding in findings):
        return BuildOutcome(findings)
    wanted = None if order.platform is None else platform_architecture(order.platform)
    with closing(connect(reporter=reporter)) as engine:
        architecture = wanted or engine.architecture
        kept = kept_lock(reading.tree, order.accelerator, architecture)
        image = build(_request(order, reading, requirements, architecture, kept), engine, reporter)
    file = reading.tree.root / plugin_lock.filename(order.accelerator, architecture)
    text = plugin_lock.render(image.lock, requirements)
    changed = not order.locked and text != kept
    if changed:
        write_whole(file, text.encode())
    if order.sbom is not None:
        sbom = json.dumps(bill_of_materials(image, Cache(cache_directory())), indent=2) + "\n"
        write_whole(order.sbom, sbom.encode())
    return BuildOutcome(findings, image, file, changed, reading.manifest.gpu_memory_gb)


def kept_lock(tree: PluginTree, accelerator: Accelerator, architecture: str) -> str | None:
    """The text of the lock that the plugin carries for this kind of image; ``None`` without one."""
    name = plugin_lock.filename(accelerator, architecture)
    return tree.read(name).decode(errors="replace") if name in tree else None


def image_files(tree: PluginTree) -> tuple[SourceFile, ...]:
    """The files that go into an image: all but the locks, which say how it was made and are no part of it."""
    files = (file for file in tree.files if file.name not in plugin_lock.FILENAMES)
    return tuple(SourceFile(file.name, file.path, file.executable) for file in files)


def describe_image(image: BuiltImage) -> dict[str, Any]:
    """The image as it is recorded and shown with ``--json``."""
    return {
        "id": image.id,
        "tag": image.tag,
        "architecture": image.base.target.architecture,
        "base": {"id": image.base.id, "tag": image.base.tag, "origin": image.base.origin},
        "lock": image.lock.digest,
        "packages": len(image.lock.wheels),
        "bytes": image.size,
        "route": image.route,
        "phases": [vars(phase) for phase in image.phases],
    }


def _request(
    order: BuildOrder, reading: Reading, requirements: RequirementSet, architecture: str, kept: str | None
) -> BuildRequest:
    return BuildRequest(
        name=reading.package,
        files=image_files(reading.tree),
        requirements=requirements,
        upgrade=order.upgrade,
        tag=order.tag,
        architecture=architecture,
        accelerator=order.accelerator,
        lock=None if order.upgrade else kept,
        locked=order.locked,
    )
