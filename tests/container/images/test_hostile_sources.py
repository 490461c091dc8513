"""Requirements and wheels that try to run something on this machine: refused by name, and without a trace."""

from __future__ import annotations

import io
import tarfile
import zipfile
from functools import partial

import pytest

import images.build
from images.files import Cache
from images.lock import resolve
from tests.support.package_index import PackageIndex
from tests.support.plugins import make_plugin
from tests.support.wheels import wheel_bytes
from toolchain.building import BuildOrder, build_plugin
from toolchain.core.errors import DependencyFault
from toolchain.core.reporter import SilentReporter

from .conftest import files_of, left_behind, run_inside

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("base")]


@pytest.fixture
def program(tmp_path):
    """What would leave a mark if anything ran it; nothing may."""
    mark = tmp_path / "executed"
    yield f"open({str(mark)!r}, 'w').close()\n"
    assert not mark.exists(), "something of the plugin was executed on this machine"


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.setattr(images.build, "resolve", partial(resolve, platform=()))
    with PackageIndex(tmp_path) as served:
        monkeypatch.setenv("MIXPEEK_INDEX_URL", served.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(served.bundle))
        yield served


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def source_distribution(name, program):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for file, text in {"setup.py": program, "PKG-INFO": f"Name: {name}\nVersion: 1.0\n"}.items():
            member = tarfile.TarInfo(f"{name}-1.0/{file}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


LINES = {
    "--no-binary :all:": "requirements.no-binary",
    "demo --no-binary demo": "requirements.option",
    "-e ./x": "requirements.editable",
    "./x": "requirements.path",
    "x @ file:///etc": "requirements.file-url",
    "file:./x": "requirements.file-url",
    "x @ https://index.test/x-1.0.tar.gz": "requirements.url",
    "git+https://index.test/x": "requirements.vcs",
    "-r other.txt": "requirements.include",
    "--index-url https://index.test/simple": "requirements.index",
    "--find-links .": "requirements.index",
    "engine": "requirements.private-name",
    "shared>=1": "requirements.private-name",
}


def test_lines_that_would_build_or_go_elsewhere_are_all_refused_with_their_place(tmp_path, program, index):
    plugin = make_plugin(tmp_path)
    for place in ("setup.py", "x/setup.py"):
        plugin.write(place, program)
    plugin.write("other.txt", "./x\n")
    plugin.write("requirements.txt", "".join(f"{line}\n" for line in LINES))
    outcome = build_plugin(BuildOrder(plugin.root), SilentReporter())
    assert outcome.image is None
    refused = {finding.line: finding for finding in outcome.findings if finding.rule.startswith("requirements.")}
    assert [refused[number].rule for number in range(1, len(LINES) + 1)] == list(LINES.values())
    assert all(finding.file == "requirements.txt" and finding.remedy for finding in refused.values())
    assert index.asked == []


def test_a_name_that_exists_only_as_source_is_the_users_line(program, index, cache, plugin):
    index.add("sdistonly-1.0.tar.gz", source_distribution("sdistonly", program))
    with pytest.raises(DependencyFault, match="sdistonly") as caught:
        plugin.build(cache, "sdistonly")
    assert "nothing is built from source" in caught.value.remedy
    assert "/files/sdistonly-1.0.tar.gz" not in [path for path, _ in index.asked]


def bomb(_):
    return wheel_bytes("demo", {"demo/zeros": bytes(200 << 20)})


def climber(program):
    return wheel_bytes("demo", entries=[(zipfile.ZipInfo("demo/../../../executed.py"), program.encode())])


def absolute(program):
    return wheel_bytes("demo", entries=[(zipfile.ZipInfo("/etc/cron.d/executed"), program.encode())])


def impostor(program):
    return wheel_bytes("demo", {"engine/__init__.py": program.encode()})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (bomb, "as zip bombs do"),
        (climber, "leaves the wheel"),
        (absolute, "not a relative path"),
        (impostor, "belongs to the platform"),
    ],
)
def test_a_hostile_wheel_is_refused_by_name(request, index, cache, make, words):
    plugin, program = map(request.getfixturevalue, ("plugin", "program"))
    index.add("demo-1.0-py3-none-any.whl", make(program))
    with pytest.raises(DependencyFault, match=words) as caught:
        plugin.build(cache, "demo")
    assert "demo-1.0-py3-none-any.whl is refused" in caught.value.message
    assert files_of(cache, "fragments", "bytecode", "layers", "tmp") == []
    assert left_behind(plugin.engine) == []


def test_a_path_file_is_left_out_named_and_never_run(program, index, cache, plugin):
    """Its wheel cannot be refused: setuptools brings one. So it is not installed, and the build says so."""
    index.add("demo-1.0-py3-none-any.whl", wheel_bytes("demo", {"demo.pth": f"import os; {program}".encode()}))
    built = plugin.build(cache, "demo")
    (phase,) = [phase for phase in built.phases if phase.name == "dependencies"]
    assert "demo.pth of demo is left out" in phase.note
    listed = "import os; print(sorted(os.listdir('/opt/mixpeek/dependencies')))"
    assert run_inside(plugin.engine, built.id, listed) == "['demo', 'demo-1.0.dist-info']"
    assert "demo.pth" in plugin.build(cache, "demo").phases[2].note


def test_a_wheels_own_bytecode_is_left_out_named_and_never_run(program, index, cache, plugin):
    """Nothing could compare it with a source, and no scan can read it; vendors ship it all the same."""
    stray = {name: program.encode() for name in ("demo/m.pyc", "demo-1.0.data/purelib/demo/__pycache__/n.pyc")}
    index.add("demo-1.0-py3-none-any.whl", wheel_bytes("demo", stray))
    built = plugin.build(cache, "demo")
    (phase,) = [phase for phase in built.phases if phase.name == "dependencies"]
    assert "demo/m.pyc of demo is left out: it is bytecode" in phase.note
    listed = "import os; print(sorted(os.listdir('/opt/mixpeek/dependencies/demo')))"
    assert run_inside(plugin.engine, built.id, listed) == "['__init__.py', '__pycache__']"
    compiled = listed.replace("/demo'", "/demo/__pycache__'")
    assert run_inside(plugin.engine, built.id, compiled) == "['__init__.cpython-311.pyc']"


def test_bytecode_is_only_ever_that_of_the_source_beside_it(engine, index, cache, plugin):
    """Two wheels bring the same module, and the one that stays does not compile: its source is what runs."""
    hidden = b"word = 'what nobody can read'\n"
    index.add("aaa-1.0-py3-none-any.whl", wheel_bytes("aaa", {"common/x.py": hidden, "common/y.py": hidden}))
    shown = {"common/x.py": b"word = \n", "common/y.py": b"word = 'what stands there'\n"}
    index.add("bbb-1.0-py3-none-any.whl", wheel_bytes("bbb", shown))
    built = plugin.build(cache, "aaa", "bbb")
    look = """
import sys
sys.path.insert(0, "/opt/mixpeek/dependencies")
from common import y
print(y.word)
try:
    from common import x
    print(x.word)
except SyntaxError:
    print("does not compile")
"""
    assert run_inside(engine, built.id, look).splitlines() == ["what stands there", "does not compile"]
