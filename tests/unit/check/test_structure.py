"""The rules about files, names and versions, on real folders."""

from __future__ import annotations

import pytest

from tests.support.plugins import NAME, make_plugin
from toolchain.check.reading import read_plugin
from toolchain.core.errors import UsageFault
from toolchain.core.findings import Severity


@pytest.fixture
def plugin(tmp_path):
    return make_plugin(tmp_path)


def findings(plugin):
    reading = read_plugin(plugin.root)
    return [*reading.structure_findings, *reading.identity_findings]


def test_a_good_plugin(plugin):
    reading = read_plugin(plugin.root)
    assert findings(plugin) == []
    assert reading.can_run
    assert reading.package == NAME
    assert reading.stages(with_samples=True) == ("describe", "tests", "samples")


def test_no_folder(tmp_path):
    with pytest.raises(UsageFault):
        read_plugin(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["manifest.py", "pipeline.py", "__init__.py"])
def test_a_missing_file(plugin, name):
    plugin.remove(name)
    (finding,) = [finding for finding in findings(plugin) if finding.rule == "structure.missing-file"]
    assert finding.file == name
    assert not read_plugin(plugin.root).can_run


def test_a_folder_that_is_imported_from_and_no_package(plugin):
    plugin.write("processors/core.py", "x = 1")
    plugin.replace("pipeline.py", "from .manifest", "from .processors.core import x\nfrom .manifest")
    (finding,) = findings(plugin)
    assert (finding.rule, finding.file) == ("structure.missing-init", "processors/__init__.py")
    assert finding.remedy == "touch processors/__init__.py"


def test_a_file_that_does_not_parse(plugin):
    plugin.write("helper.py", b"\n\ndef broken(:\n")
    (finding,) = findings(plugin)
    assert (finding.rule, finding.file, finding.line) == ("structure.syntax", "helper.py", 3)


def test_python_that_is_too_large_to_be_code(plugin):
    plugin.write("data.py", b"x = 1\n" + b"#" * (5 << 20))
    assert [finding.rule for finding in findings(plugin)] == ["structure.source-too-large"]


@pytest.mark.parametrize(
    ("old", "new", "rule", "line"),
    [
        (f'"feature_extractor_name": "{NAME}"', '"feature_extractor_name": "my-plugin"', "schemas.name", 13),
        (f'"feature_extractor_name": "{NAME}"', '"feature_extractor_name": "json"', "schemas.name", 13),
        (f'"feature_extractor_name": "{NAME}",', "", "schemas.name-missing", None),
        ('"version": "1.0.0"', '"version": "1.0"', "schemas.version", 14),
        ('"version": "1.0.0"', '"version": "v1"', "schemas.version", 14),
        ('"version": "1.0.0",', "", "schemas.version-missing", 12),
    ],
)
def test_a_name_or_version_that_the_platform_refuses(plugin, old, new, rule, line):
    plugin.replace("manifest.py", old, new)
    (finding,) = [finding for finding in findings(plugin) if finding.rule == rule]
    assert (finding.file, finding.line) == ("manifest.py", line)
    assert finding.remedy


def test_a_name_that_would_hide_a_module_is_not_imported_as_that(plugin):
    plugin.replace("manifest.py", f'"{NAME}"', '"json"')
    assert read_plugin(plugin.root).package == NAME  # the folder's, which can be used


def test_neither_name_can_be_used(tmp_path):
    plugin = make_plugin(tmp_path, "with-hyphen")
    plugin.replace("manifest.py", f'"{NAME}"', '"engine"')
    assert read_plugin(plugin.root).package == "plugin_under_test"


def test_another_name_in_the_pipeline(plugin):
    plugin.replace("pipeline.py", 'name=metadata["feature_extractor_name"]', 'name="other"')
    (finding,) = findings(plugin)
    assert (finding.rule, finding.file, finding.line) == ("schemas.name-differs", "pipeline.py", 23)


def test_another_version_in_pyproject(plugin):
    plugin.write("pyproject.toml", f'[project]\nname = "{NAME.replace("_", "-")}"\nversion = "2.0.0"\n')
    (finding,) = findings(plugin)
    assert (finding.rule, finding.file, finding.line) == ("schemas.version-differs", "pyproject.toml", 3)


def test_another_name_of_the_folder_is_only_a_warning(tmp_path):
    (finding,) = findings(make_plugin(tmp_path, "renamed"))
    assert (finding.rule, finding.severity) == ("structure.folder-name", Severity.WARNING)
