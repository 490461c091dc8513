"""What a plugin's files say, read once and without running anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolchain.check.identity import check_identity
from toolchain.check.module import Module
from toolchain.check.structure import check_structure
from toolchain.check.testing import check_test_files, has_tests
from toolchain.core.findings import Finding, Severity
from toolchain.plugin.manifest import Manifest, read_manifest
from toolchain.plugin.names import validate_name
from toolchain.plugin.tree import PluginTree, read_tree


@dataclass(frozen=True)
class Reading:
    """The files, their syntax trees, the manifest's literals, and what stands against them."""

    tree: PluginTree
    modules: dict[str, Module]
    manifest: Manifest
    structure_findings: tuple[Finding, ...]
    identity_findings: tuple[Finding, ...]
    hook_findings: tuple[Finding, ...] = ()
    requirement_findings: tuple[Finding, ...] = ()

    @property
    def package(self) -> str:
        """The name under which the plugin is imported: its own, or its folder's where it has none that works.

        One that hides a module, ``json`` or ``engine``, would make everything else fail for a reason of its own.
        """
        for name in (self.manifest.name, self.tree.root.name):
            if name is not None and not validate_name(name):
                return name
        return "plugin_under_test"

    @property
    def can_run(self) -> bool:
        """Whether importing the plugin has a chance; where not, its faults are better told one by one."""
        blocking = (*self.structure_findings, *self.requirement_findings)
        return not any(finding.severity is Severity.ERROR for finding in blocking)

    @property
    def has_tests(self) -> bool:
        """Whether there are test files."""
        return has_tests(self.tree)

    @property
    def has_realtime(self) -> bool:
        """Whether there is a realtime handler's module."""
        return "realtime.py" in self.tree

    def stages(self, *, with_samples: bool) -> tuple[str, ...]:
        """The stages that this plugin has something for."""
        wanted = {
            "describe": True,
            "tests": self.has_tests,
            "samples": with_samples,
            "realtime": self.has_realtime,
        }
        return tuple(stage for stage, needed in wanted.items() if needed)


def read_plugin(folder: Path) -> Reading:
    """Read the plugin in ``folder``. Raises ``UsageFault`` when that is no folder."""
    tree = read_tree(folder)
    findings, modules = check_structure(tree)
    module = modules.get("manifest.py")
    manifest = read_manifest(module.tree) if module is not None else Manifest()
    identity = check_identity(manifest, tree, modules) if module is not None else []
    return Reading(tree, modules, manifest, tuple(findings), tuple(identity), tuple(check_test_files(modules)))
