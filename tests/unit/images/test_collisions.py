"""A wheel may not replace what another one brings: told, and refused where the guest itself would import it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from images.collisions import collisions, left_out, note, refuse_covered_folders, refuse_stand_ins
from images.dependencies import arranged
from images.fragments import Fragment
from images.pylock import LockedWheel
from toolchain.core.errors import DependencyFault


def fragment(name, files):
    wheel = LockedWheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", "", "", 0)
    return Fragment(wheel, name, "/opt", Path(name), 0, "", (), files)


def test_what_differs_is_named_with_both_packages():
    pieces = [fragment("a", {"x/y.py": "1", "LICENSE": "1"}), fragment("b", {"x/y.py": "2", "LICENSE": "2"})]
    assert collisions(pieces) == ["two packages bring x/y.py, a and b: the latter's is kept"]
    assert note(collisions(pieces)).startswith("two packages bring x/y.py, a and b")
    assert note(["first", "second", "third"]).endswith("first (and 2 more)")
    assert note([]) == ""


def test_each_file_that_is_left_out_is_named_with_its_reason():
    piece = replace(fragment("a", {}), left_out=("a.pth", "a/m.pyc"))
    path_file, bytecode = left_out([piece])
    assert path_file == "a.pth of a is left out: it would run code at every start of an interpreter"
    assert bytecode.startswith("a/m.pyc of a is left out: it is bytecode")


def test_equal_files_are_no_collision():
    assert collisions([fragment("a", {"x/y.py": "1"}), fragment("b", {"x/y.py": "1"})]) == []


@pytest.mark.parametrize(
    ("owner", "path"),
    [
        ("numpy", "numpy/__init__.py"),
        ("numpy", "numpy/core/evil.py"),
        ("numpy", "numpy.cpython-311-x86_64-linux-gnu.so"),
        ("numpy", "numpy.libs/libopenblas.so"),
        ("pandas", "pandas/__init__.py"),
        ("pyarrow", "pyarrow/lib.so"),
        ("pydantic", "pydantic/main.py"),
        ("pydantic-core", "pydantic_core/__init__.py"),
        ("typing-extensions", "typing_extensions.py"),
        ("typing-extensions", "typing_extensions/__init__.py"),
        ("annotated-types", "annotated_types/__init__.py"),
    ],
)
@pytest.mark.parametrize("stranger", ["aaa", "zzz"])
def test_nobody_stands_in_for_what_the_guest_imports(owner, path, stranger):
    own = f"{owner.replace('-', '_')}/__init__.py"
    pieces = sorted(
        [fragment(owner, {own: "1"}), fragment(stranger, {path: "2"})], key=lambda piece: piece.wheel.name
    )
    with pytest.raises(DependencyFault) as caught:
        refuse_stand_ins(pieces)
    for name in (owner, stranger, path):
        assert name in caught.value.message


@pytest.mark.parametrize("path", ["numpy_financial/__init__.py", "pandas-stubs/x.pyi", "x/numpy/__init__.py"])
def test_other_names_are_free(path):
    refuse_stand_ins([fragment("numpy", {"numpy/__init__.py": "1"}), fragment("zzz", {path: "2"})])


def test_the_same_file_again_is_no_stand_in():
    own = {"typing_extensions.py": "1"}
    refuse_stand_ins([fragment("typing-extensions", own), fragment("zzz", own)])


def test_nobody_stands_in_for_a_package_that_is_not_there():
    with pytest.raises(DependencyFault, match="in the place of pydantic-core"):
        refuse_stand_ins([fragment("zzz", {"pydantic_core/__init__.py": "1"})])


@pytest.mark.parametrize("place", ["pkg", "pkg/sub", "pkg/sub/deep"])
@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_file_never_takes_the_place_of_a_folder(names, place):
    owner, stranger = names
    pieces = [fragment(owner, {"pkg/sub/deep/x.py": "1", "pkg/y.py": "1"}), fragment(stranger, {place: "2"})]
    with pytest.raises(DependencyFault, match=f"^{stranger}-1.0.* brings a file {place}, .* {owner}-1.0"):
        refuse_covered_folders(pieces)


def test_folders_are_shared_and_names_may_begin_alike():
    names = ["pkg/x.py", "pkg/sub/y.py", "pkg.py", "pkg-1.0/z", "pkg/su", "x.py"]
    refuse_covered_folders([fragment(name.replace("/", "-"), {name: name}) for name in names])
    refuse_covered_folders([])


def test_an_installation_with_such_a_file_is_not_arranged():
    wanted = SimpleNamespace(role="dependencies", root="/opt")
    with pytest.raises(DependencyFault, match="in the place of a folder"):
        arranged(wanted, [fragment("a", {"pkg/x.py": "1"}), fragment("b", {"pkg": "2"})])
