"""Images of plugins, for tests that speak to a session themselves."""

from __future__ import annotations

from images.build import BuildRequest, build
from images.requirements import read_requirements
from tests.support.plugins import Plugin
from toolchain.building import image_files
from toolchain.check.reading import read_plugin
from toolchain.core.containers import ContainerEngine
from toolchain.core.reporter import SilentReporter


def plugin_image(engine: ContainerEngine, plugin: Plugin) -> str:
    """The id of the plugin's image with pytest in it."""
    reading = read_plugin(plugin.root)
    requirements = read_requirements(reading.tree.root, reading.manifest.dependencies)
    request = BuildRequest(reading.package, image_files(reading.tree), requirements, with_tests=True)
    return build(request, engine, SilentReporter()).id
