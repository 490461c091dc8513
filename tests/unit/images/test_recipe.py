"""What goes into a base, and that nothing else does."""

import io
import tarfile

from images.base import recipe as subject
from images.base.recipe import read_recipe


def test_the_runtime_is_the_engine_and_the_guests_half_of_the_sandbox():
    names = set(read_recipe().files)
    assert {
        "Dockerfile.cpu",
        "images/inside/prepare.py",
        "engine/__init__.py",
        "sandbox/guest/__init__.py",
    } <= names
    ours = {name for name in names if name.startswith("sandbox/") and not name.startswith("sandbox/guest/")}
    assert ours <= {"sandbox/__init__.py", "sandbox/protocol.py", "sandbox/seal.py"}
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in names)
    assert not any(name.startswith(("toolchain", "tests")) for name in names)


def test_the_digest_follows_every_file(monkeypatch, tmp_path):
    for name in (
        "engine/a.py",
        "sandbox/guest/b.py",
        "sandbox/policy.py",
        "images/inside/prepare.py",
        "Dockerfile.cpu",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(subject, "_HOME", tmp_path)
    digest = read_recipe().digest
    for name in ("engine/a.py", "sandbox/guest/b.py", "images/inside/prepare.py", "Dockerfile.cpu"):
        (tmp_path / name).write_text("2")
        digest, before = read_recipe().digest, digest
        assert digest != before, name
    (tmp_path / "sandbox/policy.py").write_text("2")
    assert read_recipe().digest == digest


def test_the_context_is_a_tar_of_the_files():
    recipe = read_recipe()
    with tarfile.open(fileobj=io.BytesIO(b"".join(recipe.context()))) as archive:
        assert set(archive.getnames()) == set(recipe.files)


def test_the_dockerfile_keeps_to_what_every_builder_knows():
    text = read_recipe().files["Dockerfile.cpu"].decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0].startswith("ARG BASE=")
    assert "USER 65532:65532" in lines
    assert not any("--network" in line or "--link" in line or "--mount" in line for line in lines)
    assert not text.startswith("# syntax=")
    runs = [line for line in lines if line.startswith("RUN")]
    assert all(line.startswith('RUN ["') for line in runs)
