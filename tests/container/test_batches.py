"""Batches through a sandbox: what comes back is what the steps make of it, whatever else the plugin tries."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sandbox.batches import Batches, BatchFailed, BatchJob
from sandbox.exchange import SLOTS
from sandbox.outcome import Ending
from sandbox.policy import Policy
from tests.support.images import plugin_image
from tests.support.leftovers import sandboxes
from tests.support.plugins import NAME

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

POLICY = Policy(stage_seconds=20.0)
JOB = BatchJob(NAME, f"/opt/mixpeek/plugin/{NAME}")

HEAD = """
from engine.plugins.extractors.pipeline import *
from .manifest import metadata
"""
STEPS = """

def build_steps(extractor_request, **kwargs):
    config = extractor_request.extractor_config.parameters
    step = StepDefinition(service_class=Processor, resource_type=ResourceType.CPU, config=config, batch_size=4096)
    pipeline = PipelineDefinition(name="p", version="1.0.0", steps=[step])
    return {"steps": build_pipeline_steps(pipeline)}
"""
# What a plugin can reach: descriptors that its own stage was handed, and their mappings.
MISCHIEF = """
import glob, mmap, os

def shared():
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if "memfd:exchange" in os.readlink(f"/proc/self/fd/{name}"):
                found.append(int(name))
        except OSError:
            pass
    return sorted(found)
"""


def table(rows=1000, start=0):
    return pa.table({"number": np.arange(start, start + rows, dtype=np.float64), "text": ["a"] * rows})


def processor(plugin, body, setup="pass"):
    """Write a pipeline whose processor has ``body`` as its ``__call__``."""
    indented = "\n".join(f"        {line}" for line in body.strip().splitlines())
    plugin.write(
        "pipeline.py",
        f"{HEAD}{MISCHIEF}\nclass Processor:\n"
        f"    def __init__(self, config, progress_actor=None):\n        self.config = config\n        {setup}\n\n"
        f"    def __call__(self, batch):\n{indented}\n        return batch\n{STEPS}",
    )


@pytest.fixture
def opened(own_engine, plugin):
    """Batches for the plugin as it is when asked for."""

    def open_batches(policy=POLICY, engine=own_engine, **options):
        return Batches(engine, plugin_image(own_engine, plugin), policy, replace(JOB, **options))

    return open_batches


class TestHonest:
    def test_many_batches_one_container_one_processor(self, opened, plugin, own_engine):
        processor(
            plugin,
            """
self.seen = getattr(self, "seen", 0) + 1
batch["double"] = batch["number"] * 2 * self.config["factor"]
batch["seen"] = self.seen
""",
        )
        with opened(parameters={"factor": 10}) as batches:
            assert batches.shares_memory
            results = list(batches.run(table(1000, start) for start in range(0, 20_000, 1000)))
            assert len(sandboxes(own_engine)) == 1
            outcome = batches.finish()
        assert [result.table["seen"][0].as_py() for result in results] == list(range(1, 21))
        doubles = np.concatenate([result.table["double"].to_numpy() for result in results])
        assert (doubles == np.arange(20_000) * 20).all()
        assert outcome.ending is Ending.COMPLETED
        assert outcome.transcript.stages["batches"].result["batches"] == 20

    def test_without_shared_memory_everything_takes_the_stream(self, opened, plugin, own_engine):
        processor(plugin, 'batch["double"] = batch["number"] * 2')
        with opened(engine=replace(own_engine, local=False)) as batches:
            assert not batches.shares_memory
            results = list(batches.run([table(200_000), table(3)]))
        assert [result.table.num_rows for result in results] == [200_000, 3]

    def test_what_does_not_fit_a_slot_takes_the_stream(self, opened, plugin):
        processor(plugin, 'batch["double"] = batch["number"] * 2')
        with opened(slot_bytes=1 << 16) as batches:
            sizes = [10, 200_000, 3000, 200_000, 10]  # of 3000 rows the input fits and the output does not
            results = list(batches.run(map(table, sizes)))
            assert batches.shares_memory
        assert [result.table.num_rows for result in results] == sizes

    @pytest.mark.parametrize("backend", ["numpy", "arrow"])
    def test_a_processor_that_keeps_its_batches_keeps_their_values(self, opened, plugin, backend):
        processor(
            plugin,
            """
for number, old in enumerate(self.kept):
    assert old["number"].iloc[0] == number * 100, (number, old["number"].iloc[0])
self.kept.append(batch[["number"]])
batch["kept"] = len(self.kept)
""",
            setup="self.kept = []",
        )
        with opened(backend=backend) as batches:
            results = list(batches.run(table(100, start) for start in range(0, 100 * 3 * SLOTS, 100)))
        assert [result.table["kept"][0].as_py() for result in results] == list(range(1, 3 * SLOTS + 1))

    def test_rows_that_fail_are_set_aside(self, opened, plugin):
        processor(plugin, 'assert not (batch["number"] == 7).any(), "seven"\nbatch["fine"] = 1')
        with opened(on_row_error="set_aside") as batches:
            (result,) = batches.run([table(10)])
        assert [(row.row, "seven" in row.message) for row in result.set_aside] == [(7, True)]
        assert result.table["fine"].to_pylist() == [1] * 7 + [None] + [1] * 2

    def test_an_empty_run(self, opened, plugin):
        processor(plugin, "pass")
        with opened() as batches:
            assert list(batches.run([])) == []
            assert batches.finish().ending is Ending.COMPLETED


class TestFailing:
    def test_a_step_that_raises(self, opened, plugin):
        processor(plugin, 'assert batch["number"].iloc[0] < 2000, "too much"')
        with opened() as batches:
            found = batches.run(table(1000, start) for start in range(0, 9000, 1000))
            assert [next(found).table.num_rows for _ in range(2)] == [1000, 1000]
            with pytest.raises(BatchFailed, match=r"batch 3: .*too much"):
                next(found)

    def test_a_plugin_that_cannot_be_imported(self, opened, plugin):
        plugin.write("pipeline.py", "import nowhere_to_be_found\n")
        with pytest.raises(BatchFailed, match="nowhere_to_be_found"), opened():
            pass

    def test_one_that_hangs_runs_into_the_deadline_of_its_batch(self, opened, plugin):
        processor(plugin, 'import time\ntime.sleep(600 if batch["number"].iloc[0] else 0)')
        with opened(replace(POLICY, stage_seconds=3.0)) as batches:
            found = batches.run([table(), table(start=1)])
            next(found)
            began = time.monotonic()
            with pytest.raises(BatchFailed, match="deadline") as failure:
                next(found)
        assert time.monotonic() - began < 60
        assert failure.value.outcome.transcript.stages["batches"].ended == "deadline"

    def test_a_host_that_is_slow_costs_the_plugin_nothing(self, opened, plugin):
        processor(plugin, 'batch["fine"] = 1')
        with opened(replace(POLICY, stage_seconds=2.0)) as batches:
            assert len(list(batches.run([table()]))) == 1
            time.sleep(3)
            assert len(list(batches.run([table()]))) == 1

    def test_one_that_leaves(self, opened, plugin):
        processor(plugin, "os._exit(3)")
        with opened() as batches, pytest.raises(BatchFailed, match="status 3"):
            list(batches.run([table()]))

    def test_one_that_takes_all_memory(self, opened, plugin):
        processor(plugin, "self.hog = bytearray(8 << 30)\nself.hog[::4096] = b'x' * len(self.hog[::4096])")
        with opened(replace(POLICY, memory=600 << 20)) as batches, pytest.raises(BatchFailed) as failure:
            list(batches.run([table()]))
        assert failure.value.outcome is None or failure.value.outcome.facts.out_of_memory

    def test_tables_that_end_in_an_error(self, opened, plugin, own_engine):
        def tables():
            yield table()
            raise LookupError("no more")

        processor(plugin, "pass")
        with pytest.raises(LookupError), opened() as batches:
            list(batches.run(tables()))
        assert sandboxes(own_engine) == set()


class TestHostile:
    """Each has the shared files' descriptors, which its stage cannot do without."""

    def test_the_files_can_neither_shrink_nor_grow_nor_be_written_by_the_wrong_side(self, opened, plugin):
        processor(
            plugin,
            """
outcomes = []
incoming, outgoing = shared()[:2]  # mmap keeps copies
size = os.fstat(incoming).st_size
def attempt(call):
    try:
        call()
        outcomes.append("done")
    except OSError as refusal:
        outcomes.append(refusal.errno)
for descriptor in (incoming, outgoing):
    attempt(lambda: os.ftruncate(descriptor, 0))
    attempt(lambda: os.ftruncate(descriptor, size + 4096))
    attempt(lambda: os.posix_fallocate(descriptor, size, 4096))
    attempt(lambda: os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_TRUNC))
attempt(lambda: os.pwrite(incoming, b"x", 0))
attempt(lambda: mmap.mmap(incoming, 0))
attempt(lambda: os.execve(f"/proc/self/fd/{outgoing}", ["x"], {}))
batch["outcomes"] = [outcomes] * len(batch)
""",
        )
        with opened() as batches:
            (result,) = batches.run([table()])
            outcomes = result.table["outcomes"][0].as_py()
        assert "done" not in outcomes, outcomes
        assert len(outcomes) == 11

    def test_nobody_finds_a_socket_to_ask_for_more(self, opened, plugin):
        processor(
            plugin,
            """
import socket
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as host:
    try:
        host.connect("/opt/mixpeek/exchange/socket")
        batch["found"] = "connected"
    except OSError as refusal:
        batch["found"] = type(refusal).__name__
try:
    os.mkfifo("/opt/mixpeek/exchange/socket2")
    batch["made"] = True
except OSError:
    batch["made"] = False
""",
        )
        with opened() as batches:
            (result,) = batches.run([table(1)])
        assert result.table.to_pylist()[0]["found"] in {"FileNotFoundError", "ConnectionRefusedError"}
        assert result.table.to_pylist()[0]["made"] is False

    @pytest.mark.parametrize(
        ("forgery", "told"),
        [
            ("answer | {'length': 1 << 40}", "outside"),
            ("answer | {'number': 99}", "another batch"),
            ("{}", "protocol"),
        ],
    )
    def test_an_answer_that_lies(self, opened, plugin, forgery, told):
        processor(plugin, "pass")
        plugin.write(
            "manifest.py",
            (plugin.root / "manifest.py").read_text()
            + "\nimport sandbox.guest.stages as stages\nsend = stages._send\n"
            + "def forge(descriptor, token, message):\n"
            + "    answer = message.body\n"
            + f"    body = {forgery} if message.type == 'batch' else answer\n"
            + "    send(descriptor, token, type(message)(message.type, body, message.blob))\n"
            + "stages._send = forge\n",
        )
        with opened() as batches, pytest.raises(BatchFailed) as failure:
            list(batches.run([table()]))
        assert told in failure.value.message + failure.value.outcome.reason

    def test_bytes_that_are_no_table(self, opened, plugin):
        """Written over the answer by the stage's own writer, patched, so that the length stays right."""
        processor(plugin, "pass")
        plugin.write(
            "manifest.py",
            (plugin.root / "manifest.py").read_text()
            + "\nimport os, sandbox.guest.stages.batches as stage\nwrite = stage._Memory.write\n"
            + "def spoil(self, slot, table):\n"
            + "    length = write(self, slot, table)\n"
            + "    self._outgoing[slot * self._bytes : slot * self._bytes + (1 << 16)] = os.urandom(1 << 16)\n"
            + "    return length\n"
            + "stage._Memory.write = spoil\n",
        )
        with opened() as batches, pytest.raises(BatchFailed, match="no batch of ours"):
            list(batches.run([table()]))

    def test_a_table_that_reaches_beyond_its_bytes(self, opened, plugin):
        """The other ways in which a table may lie are tried on the reader itself, in the unit tests."""
        processor(plugin, "pass")
        plugin.write(
            "manifest.py",
            (plugin.root / "manifest.py").read_text()
            + "\nimport pyarrow as pa, sandbox.guest.stages.batches as stage\nwrite = stage._Memory.write\n"
            + "indices, words = pa.array([0, 99], pa.int32()), pa.array(['a'])\n"
            + "lie = pa.table({'word': pa.DictionaryArray.from_arrays(indices, words, safe=False)})\n"
            + "stage._Memory.write = lambda self, slot, table: write(self, slot, lie)\n",
        )
        with opened() as batches, pytest.raises(BatchFailed, match="no batch of ours"):
            list(batches.run([table()]))

    def test_one_that_writes_while_the_host_reads(self, opened, plugin):
        """What was validated is a copy: later scribbling changes neither the table nor the verdict over it."""
        processor(
            plugin,
            """
import threading
def scribble():
    memory = mmap.mmap(shared()[1], 0)
    while True:
        memory[: 1 << 20] = os.urandom(1 << 20)
if not getattr(self, "thread", None):
    self.thread = threading.Thread(target=scribble, daemon=True)
    self.thread.start()
""",
        )
        with opened() as batches:
            try:
                results = list(batches.run(table(1000, start) for start in range(0, 20_000, 1000)))
            except BatchFailed as failure:
                assert "no batch of ours" in failure.message  # noqa: PT017 - either is right; a crash is not
                return
        for result in results:
            before = result.table.to_pylist()
            time.sleep(0.01)
            assert result.table.to_pylist() == before
