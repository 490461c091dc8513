"""Platforms as users write them, and the lock that each has."""

import re

import pytest

from images.build import platform_architecture, usual_tag
from images.code import SourceFile
from images.plugin_lock import FILENAMES, filename
from toolchain.building import image_files
from toolchain.core.errors import UsageFault
from toolchain.plugin.tree import read_tree


@pytest.mark.parametrize(("platform", "architecture"), [("linux/amd64", "amd64"), ("linux/arm64", "arm64")])
def test_a_platform_is_one_that_wheels_are_chosen_for(platform, architecture):
    assert platform_architecture(platform) == architecture


@pytest.mark.parametrize("platform", ["linux/s390x", "windows/amd64", "linux", "arm64", "", "linux/arm64/v8/x"])
def test_any_other_is_refused_with_those_that_there_are(platform):
    with pytest.raises(UsageFault) as caught:
        platform_architecture(platform)
    assert "linux/amd64 or linux/arm64" in caught.value.remedy


def test_an_image_for_elsewhere_does_not_take_the_name_of_ours():
    assert usual_tag("demo", foreign="arm64") == "mixpeek/demo:cpu-arm64"
    assert usual_tag("demo", foreign="arm64", accelerator="cuda") == "mixpeek/demo:cuda-arm64"


def test_every_kind_of_image_has_a_lock_of_its_own_with_a_name_that_pep_751_allows():
    assert filename("cpu", "amd64") == "pylock.cpu.toml"
    assert filename("cuda", "arm64") == "pylock.cuda-arm64.toml"
    assert len(FILENAMES) == 4
    assert all(re.fullmatch(r"pylock\.[^.]+\.toml", name) for name in FILENAMES)


def test_no_lock_is_a_part_of_the_image(tmp_path):
    for name in (*FILENAMES, "manifest.py"):
        (tmp_path / name).touch()
    files = image_files(read_tree(tmp_path))
    assert [file.arcname for file in files] == ["manifest.py"]
    assert all(isinstance(file, SourceFile) for file in files)
