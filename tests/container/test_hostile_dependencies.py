"""Packages in the image that use their import in the worker to reach into stages: none gets further than a stage.

They stand where wheels lie, under the names by which pandas and pydantic load them without being asked. All are
ours, and harmless.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from sandbox.batches import Batches, BatchJob
from sandbox.conversation import Job, StageReport, Transcript
from sandbox.policy import DEFAULT
from sandbox.session import Session
from tests.support.images import plugin_image
from tests.support.plugins import NAME, Plugin
from toolchain.core.containers import ContainerEngine
from toolchain.core.image_layout import DEPENDENCIES, plugin_directory

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

# pandas imports it where it is there, to add up faster.
BY_PANDAS = "bottleneck/__init__.py"
BY_PYDANTIC = "watcher/__init__.py"
ENTRY_POINT = {
    "watcher-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: watcher\nVersion: 1.0\n",
    "watcher-1.0.dist-info/entry_points.txt": "[pydantic]\nwatcher = watcher:plugin\n",
}

# A counter in memory that stages inherit; whoever counts lives.
COUNTER = """
__version__ = "9.9.9"
import mmap, os, struct, threading, time

memory = mmap.mmap(-1, 16)

def count():
    while True:
        memory[:8] = struct.pack("=Q", struct.unpack("=Q", memory[:8])[0] + 1)
        time.sleep(0.005)
"""
# What a stage of the plugin says of it: whether it goes on, and who else is there.
LOOK = """
import os, time
import bottleneck

before = bytes(bottleneck.memory)
{between}
time.sleep(0.3)
print("counting" if bytes(bottleneck.memory) != before else "still", flush=True)
others = {{int(name) for name in os.listdir("/proc") if name.isdigit()}} - {{1, os.getpid()}}
states = [open(f"/proc/{{other}}/stat").read().rpartition(")")[2].split()[0] for other in others]
print(f"{{len([state for state in states if state != 'Z'])}} others", flush=True)
"""


@pytest.fixture
def image_with(own_engine: ContainerEngine, plugin: Plugin) -> Iterator[Callable[[dict[str, str]], str]]:
    """Makes the plugin's image with more files among the dependencies."""
    made: list[str] = []

    def make(files: dict[str, str]) -> str:
        made.append(_with_packages(own_engine, plugin_image(own_engine, plugin), files))
        return made[-1]

    yield make
    for image in made:
        with suppress(Exception):
            own_engine.client.images.remove(image, force=True)


@pytest.fixture
def ran(own_engine: ContainerEngine, image_with: Callable[[dict[str, str]], str]) -> Callable[..., Transcript]:
    """Runs stages of the plugin in such an image."""

    def run(files: dict[str, str]) -> Transcript:
        with Session(own_engine, image_with(files), DEFAULT) as session:
            return session.run(Job(NAME, plugin_directory(NAME), ("describe", "realtime"))).transcript

    return run


def _with_packages(engine: ContainerEngine, image: str, files: dict[str, str]) -> str:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        texts = {f"packages/{name}": text for name, text in files.items()}
        for name, text in {"Dockerfile": f"FROM {image}\nCOPY packages {DEPENDENCIES}/\n", **texts}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    context.seek(0)
    built, _ = engine.client.images.build(fileobj=context, custom_context=True, rm=True)
    return str(built.id)


def spoil(plugin: Plugin, text: str) -> None:
    """Have the plugin run ``text`` in both stages."""
    plugin.write("manifest.py", text + (plugin.root / "manifest.py").read_text())
    handler = "class RealtimeHandler:\n    def predict(self, request):\n        return {'vector': [1.0, 2.0]}\n"
    plugin.write("realtime.py", f"import {NAME}.manifest\n{handler}")


def left(report: StageReport) -> list[str]:
    return [event["subject"] for event in report.tried["observed"]["events"] if event["kind"] == "left-running"]


def test_the_end_of_a_stage_is_not_the_workers_to_tell(ran, plugin):
    lies = '__version__ = "9.9.9"\nimport os\nreal = os.wait4\n'
    lies += "def wait4(*arguments):\n    pid, _, usage = real(*arguments)\n    return pid, 0, usage\n"
    lies += "os.wait4 = wait4\n"
    spoil(plugin, "import os\nos._exit(3)\n")
    transcript = ran({BY_PANDAS: lies})
    assert {name: (report.ended, report.status) for name, report in transcript.stages.items()} == {
        "describe": ("exited", 3),
        "realtime": ("exited", 3),
    }


@pytest.mark.parametrize("word", ['{"type": "ended", "status": 0, "peak_memory_bytes": 1}', "ready", "warm"])
def test_words_on_every_socket_of_the_worker(ran, plugin, word):
    """From a thread, all the time: at the best it is a worker that cannot be used."""
    forger = f"""
__version__ = "9.9.9"
import os, threading, time

def forge():
    while True:
        for descriptor in range(3, 20):
            try:
                if os.readlink(f"/proc/self/fd/{{descriptor}}").startswith("socket:"):
                    os.write(descriptor, {word.encode()!r})
            except OSError:
                pass
        time.sleep(0.001)

threading.Thread(target=forge, daemon=True).start()
"""
    spoil(plugin, "import os, time\ntime.sleep(0.3)\nos._exit(3)\n")
    for report in ran({BY_PANDAS: forger}).stages.values():
        assert report.ended.startswith("lost: ") or (report.ended, report.status) == ("exited", 3), report
        assert report.result is None


FORKED = """
if not os.fork():
    os.setsid()
    os.fork() and os._exit(0)
    count()
"""
# Each child goes on where its parent ends, so that no list of processes is true for long.
HOPPING = """
if not os.fork():
    os.setsid()
    while True:
        os.fork() and os._exit(0)
"""


@pytest.mark.parametrize("stray", [FORKED, HOPPING], ids=["forked", "hopping"])
def test_a_process_that_an_import_started_sees_no_stage(ran, plugin, stray):
    spoil(plugin, LOOK.format(between=""))
    first, second = ran({BY_PANDAS: COUNTER + stray}).stages.values()
    for report in (first, second):
        assert report.status == 0, report
        assert "still\n1 others" in report.output
    assert any(subject.startswith("an imported package's ") for subject in left(first))


def test_a_thread_that_an_import_started_sees_no_stage(ran, plugin):
    spoil(plugin, LOOK.format(between=""))
    thread = COUNTER + "\nthreading.Thread(target=count, daemon=True).start()\n"
    for report in ran({BY_PANDAS: thread}).stages.values():
        assert (report.status, left(report)) == (0, []), report
        assert "still\n1 others" in report.output


def test_a_worker_that_is_woken_up_is_replaced_and_told(ran, plugin):
    wake = "[os.kill(int(name), 18) for name in os.listdir('/proc') if name.isdigit()]"
    spoil(plugin, LOOK.format(between=wake))
    thread = COUNTER + "\nthreading.Thread(target=count, daemon=True).start()\n"
    for report in ran({BY_PANDAS: thread}).stages.values():
        assert report.status == 0, report
        assert left(report) == ["the worker, which ran although it was stopped"]


def test_a_plugin_of_pydantic_is_loaded_in_stages_alone(ran, plugin):
    """There, beside the audit hook, it is one of many packages that a stage imports."""
    watcher = "import os\nopen(f'/dev/shm/{os.getpid()}', 'w').close()\n"
    watcher += "class plugin:\n    def new_schema_validator(*_, **__):\n        return None, None, None\n"
    spoil(plugin, "")
    look = "\nimport os\nprint('by itself' if os.listdir('/dev/shm') == [str(os.getpid())] else 'by another')\n"
    plugin.write("manifest.py", (plugin.root / "manifest.py").read_text() + look)
    model = "__version__ = '9.9.9'\nimport pydantic\nclass Model(pydantic.BaseModel):\n    number: int\n"
    for report in ran({BY_PANDAS: model, BY_PYDANTIC: watcher, **ENTRY_POINT}).stages.values():
        assert report.status == 0, report
        assert "by itself" in report.output


def test_the_audit_hook_is_there_before_them(ran, plugin):
    deaf = "__version__ = '9.9.9'\nimport sys\nsys.addaudithook = lambda hook: None\n"
    deaf += (
        "import sandbox.guest.trace.hook as it\nit.Hook = lambda *_: it\nit.install = it.begin = lambda *_: None\n"
    )
    spoil(plugin, "import os\nos.system('true')\n")
    for report in ran({BY_PANDAS: deaf}).stages.values():
        assert report.status == 0, report
        assert "execute" in {event["kind"] for event in report.tried["claimed"]["events"]}


def test_the_memory_for_batches_goes_to_process_1(own_engine, image_with):
    greedy = "__version__ = '9.9.9'\nimport socket\nfirst = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)\n"
    greedy += "first.connect('/opt/mixpeek/exchange/socket')\n"
    job = BatchJob(NAME, plugin_directory(NAME))
    with Batches(own_engine, image_with({BY_PANDAS: greedy}), DEFAULT, job) as batches:
        assert batches.shares_memory
