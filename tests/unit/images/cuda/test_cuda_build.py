"""What the accelerator changes in a build: the lock's key and the image's name, and nothing for the CPU."""

import pytest

from images.build import usual_tag
from images.lock import _key
from toolchain.core.digests import sha256_json


def test_cpu_and_cuda_images_have_names_of_their_own():
    assert usual_tag("demo") == "mixpeek/demo:cpu"
    assert usual_tag("demo", accelerator="cuda") == "mixpeek/demo:cuda"
    assert usual_tag("demo", with_tests=True, accelerator="cuda") == "mixpeek/demo:cuda-tests"


def test_the_locks_are_kept_apart(target):
    assert _key(["torch"], target, "cpu") != _key(["torch"], target, "cuda")


def test_the_key_of_a_cpu_lock_is_as_it_was(target, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda _: "0.9")
    assert _key(["a"], target, "cpu") == sha256_json([["a"], target.to_json(), "0.9", None])


@pytest.mark.parametrize("accelerator", ["cpu", "cuda"])
def test_the_key_follows_the_requirements(target, accelerator):
    assert _key(["a"], target, accelerator) != _key(["b"], target, accelerator)
