"""What the archive says of itself, read from its syntax tree, and whether it is the release that was announced."""

from __future__ import annotations

import ast
import math
from pathlib import Path
from typing import Any

from registry.releases.refused import Reason, Refused
from registry.texts import clean
from toolchain.core.digests import canonical_json
from toolchain.core.errors import PluginFault
from toolchain.core.files import read_regular
from toolchain.plugin.manifest import Manifest, SourceProblem, parse_source, read_manifest
from toolchain.plugin.names import normalize_version

_REQUIRED = ("manifest.py", "pipeline.py", "__init__.py")
_SOURCE_LIMIT = 512 << 10
_MANIFEST_LIMIT = 256 << 10
_DOCUMENTED = (
    "description",
    "category",
    "supported_input_types",
    "features",
    "dependencies",
    "compute_profile",
    "serve_config",
    "permissions",
    "input_mappings",
    "feature_uri",
    "inference_type",
)


def read_release_manifest(tree: Path, name: str, version: str) -> dict[str, Any]:
    """The manifest's literals under the platform's names. Raises ``Refused`` with every problem together."""
    problems = [
        Reason("structure.missing-file", "missing; `mixpeek plugin init NAME` makes one to copy", file)
        for file in _REQUIRED
        if not (tree / file).is_file()
    ]
    if problems:
        raise Refused(problems)
    manifest = _parsed(tree)
    for what, told, announced, shown in (
        ("name", manifest.name, name, manifest.name),
        ("version", normalize_version(manifest.version or ""), version, manifest.version),
    ):
        if told != announced:
            line = manifest.name_line() if what == "name" else manifest.line("metadata.version")
            message = f"the {what} is {shown!r}, but the upload was announced as {announced!r}; make them equal"
            problems.append(Reason(f"manifest.{what}", message, "manifest.py", line))
    if problems:
        raise Refused(problems)
    return _documented(manifest, tree)


def _parsed(tree: Path) -> Manifest:
    try:
        source = read_regular(tree, "manifest.py", limit=_SOURCE_LIMIT)
    except PluginFault as reason:
        raise Refused(
            [Reason("manifest.unreadable", f"{reason.message}; {reason.remedy}", "manifest.py")]
        ) from None
    module = parse_source(source, "manifest.py")
    if isinstance(module, SourceProblem):
        message = f"Python cannot parse the file: {module.message}"
        raise Refused([Reason("manifest.syntax", message, "manifest.py", module.line)])
    assert isinstance(module, ast.Module)
    return read_manifest(module)


def _documented(manifest: Manifest, tree: Path) -> dict[str, Any]:
    metadata = manifest.values.get("metadata")
    sources = [metadata, manifest.values] if isinstance(metadata, dict) else [manifest.values]
    found: dict[str, Any] = {"feature_extractor_name": manifest.name, "version": manifest.version}
    for key in _DOCUMENTED:
        value = next((source[key] for source in sources if key in source), None)
        if (plain := _plain(value)) is not None:
            found[key] = plain
    found["realtime"] = (tree / "realtime.py").is_file()
    if len(canonical_json(found)) > _MANIFEST_LIMIT:
        raise Refused([Reason("manifest.too-large", "the manifest's literals are too large", "manifest.py")])
    return found


def _plain(value: Any) -> Any:
    """A value as JSON holds it; what only running the code would tell is left out."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # 1e999 in a source is infinity, which JSON does not have
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items() if isinstance(key, str)}
    return [_plain(item) for item in value] if isinstance(value, list) else None
