"""Two bases from one recipe: they differ in what a GPU needs, and neither drifts from the other."""

import pytest

from images.base.catalogue import CATALOGUE, CPU
from images.base.recipe import read_recipe
from images.inside import link_dependencies

CUDA = CATALOGUE["cuda"]


def instructions(name):
    text = read_recipe(CATALOGUE[name]).files[CATALOGUE[name].dockerfile].decode()
    joined = text.replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines() if line and not line.startswith("#")]


def test_the_cpu_base_is_the_one_that_is_made_when_nothing_is_said():
    assert read_recipe() == read_recipe(CPU)
    assert "Dockerfile.gpu" not in read_recipe().files


def test_the_contexts_differ_in_the_dockerfile_and_the_link_alone():
    cpu, cuda = read_recipe(CPU), read_recipe(CUDA)
    assert cpu.digest != cuda.digest
    assert set(cuda.files) - set(cpu.files) == {"Dockerfile.gpu", "images/inside/link_dependencies.py"}
    assert set(cpu.files) - set(cuda.files) == {"Dockerfile.cpu"}


def test_the_gpu_dockerfile_is_the_cpu_one_and_three_instructions():
    cpu, cuda = instructions("cpu"), instructions("cuda")
    added = [line for line in cuda if line not in cpu]
    assert [line for line in cpu if line not in cuda] == ["ENV LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1"]
    assert added == [
        "COPY images/inside/link_dependencies.py /opt/mixpeek/link_dependencies.py",
        'RUN ["python3", "-I", "-S", "-B", "/opt/mixpeek/link_dependencies.py"]',
        "ENV LANG=C.UTF-8 HOME=/tmp PYTHONDONTWRITEBYTECODE=1 NVIDIA_VISIBLE_DEVICES=all "
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ]
    assert [line for line in cuda if line in cpu] == [line for line in cpu if line in cuda]


@pytest.mark.parametrize("before", ["nothing", "folder", "link"])
def test_the_interpreter_s_folder_leads_to_the_dependencies(tmp_path, monkeypatch, before):
    dependencies, place = tmp_path / "dependencies", tmp_path / "lib" / "site-packages"
    dependencies.mkdir()
    (dependencies / "marker").touch()
    if before != "nothing":
        place.parent.mkdir()
    if before == "folder":
        place.mkdir()
        (place / "README.txt").touch()
    if before == "link":
        place.symlink_to(tmp_path)
    monkeypatch.setattr(link_dependencies, "DEPENDENCIES", dependencies)
    monkeypatch.setattr(link_dependencies.site, "getsitepackages", lambda: [str(place), "/elsewhere"])
    link_dependencies.main()
    assert (place / "marker").exists()
    assert place.is_symlink()
