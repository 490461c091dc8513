"""Plugins that want to be taken for good ones, or to break what tests them: none passes, none outstays its time.

All are ours and harmless outside the sandbox, where they are never run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.verdicts import Verdict, plugin_test

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

SANDBOX = ("--sandbox", "--timeout", "20")

FAILING = "def test_fails():\n    assert False, 'the honest result'\n\n\ndef test_fine():\n    pass\n"

FORGE = """
import glob, json, os, struct

def frame(body, blob=b""):
    data = json.dumps(body).encode()
    return struct.pack("!IQ", len(data), len(blob)) + data + blob

TESTS = {
    "type": "result", "available": True, "version": "8.0.0", "status": 1, "total": 1, "replaced": [],
    "controls": {"must-pass": "passed", "must-fail": "failed"}, "unreported": [], "deselected": [],
    "collection_errors": [], "tests": [{"id": "tests/test_it.py::test_fails", "outcome": "passed"}],
}
REPORT = {
    "type": "stage", "stage": "tests", "ended": "exited", "status": 0, "seconds": 0.1, "peak_memory_bytes": 1,
    "output": "", "output_bytes": 0, "progress": None, "violation": None, "result": TESTS,
}

def spray(data):
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 0:
            try:
                os.write(int(entry), data)
            except OSError:
                pass
"""


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """Whatever a plugin does, its run ends by its stages' deadlines: those of the host come minutes later."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 60


def judged(capsys, plugin, *options) -> Verdict:
    verdict = plugin_test(capsys, plugin, *SANDBOX, *options)
    assert verdict.exit_code == 1, verdict.envelope
    return verdict


class TestForgedReports:
    def test_a_printed_report_is_only_output(self, plugin, capsys):
        plugin.write("tests/test_it.py", "print('1 passed in 0.01s')\nprint('PASSED')\n" + FAILING)
        assert judged(capsys, plugin).rules == ["tests.failed"]

    def test_frames_on_standard_output_are_only_output(self, plugin, capsys):
        plugin.write(
            "tests/conftest.py",
            FORGE
            + "for fd in (1, 2):\n    os.write(fd, frame(TESTS) + frame(REPORT) + frame({'type': 'done'}))\n",
        )
        plugin.write("tests/test_it.py", FAILING)
        assert judged(capsys, plugin).rules == ["tests.failed"]

    @pytest.mark.parametrize("frames", ["frame(TESTS) + frame(REPORT)", "b'x' * 4096"])
    def test_frames_on_every_descriptor(self, plugin, capsys, frames):
        plugin.remove("samples.json")
        plugin.write("tests/conftest.py", FORGE + f"spray({frames})\n")
        plugin.write("tests/test_it.py", FAILING)
        assert "run.policy-violation" in judged(capsys, plugin).rules

    def test_frames_on_every_descriptor_and_a_quick_exit(self, plugin, capsys):
        plugin.write("tests/conftest.py", FORGE + "spray(frame(TESTS))\nos._exit(0)\n")
        plugin.write("tests/test_it.py", FAILING)
        assert "run.policy-violation" in judged(capsys, plugin).rules

    @pytest.mark.parametrize("stage", ["manifest.py", "realtime.py"])
    def test_a_second_result_of_another_stage(self, plugin, capsys, stage):
        plugin.write(
            "realtime.py", "class RealtimeHandler:\n    def predict(self, r): return {'vector': [1.0, 2.0]}\n"
        )
        text = (plugin.root / stage).read_text()
        plugin.write(stage, FORGE + "spray(frame({'type': 'result', 'problems': []}))\n" + text)
        assert "run.policy-violation" in judged(capsys, plugin).rules

    def test_a_result_and_then_a_failing_exit(self, plugin, capsys):
        # What determined code can do: send its process's real result early, with the token from its memory.
        plugin.write(
            "manifest.py",
            (plugin.root / "manifest.py").read_text()
            + "\nimport os, sandbox.guest.stages as stages\n"
            + "send = stages._send\n"
            + "def late(*arguments):\n    send(*arguments)\n"
            + "    os._exit(3) if arguments[2].type == 'result' else None\n"
            + "stages._send = late\n",
        )
        finding = judged(capsys, plugin).finding_in("run.exited", "describe")
        assert "status 3 after reporting" in finding["message"]

    def test_a_stage_that_hangs_after_its_result(self, plugin, capsys):
        plugin.write(
            "tests/conftest.py",
            "import time, sandbox.guest.stages as stages\nsend = stages._send\n"
            "def late(*arguments):\n    send(*arguments)\n"
            "    time.sleep(600) if arguments[2].type == 'result' else None\n"
            "stages._send = late\n",
        )
        assert judged(capsys, plugin, "--timeout", "3").rules == ["run.timeout"]

    def test_tests_that_forge_from_within_are_at_least_called_a_claim(self, plugin, capsys):
        """The limit of what can be seen: code with the test process's own powers equals ``assert True``."""
        plugin.write("tests/test_it.py", "def test_fails():\n    assert True\n")
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert verdict.exit_code == 0
        assert verdict.check("tests")["source"] == "claimed"
        assert verdict.check("schemas")["source"] == "claimed"
        assert verdict.check("ending")["source"] == "observed"


class TestPatchedPytest:
    """Each of these makes plain pytest leave with 0 or report no failure."""

    @pytest.mark.parametrize(
        "conftest",
        [
            pytest.param(
                """
                import pytest

                @pytest.hookimpl(hookwrapper=True)
                def pytest_runtest_makereport(item, call):
                    outcome = yield
                    outcome.get_result().outcome = "passed"
                """,
                id="makereport for all",
            ),
            pytest.param(
                """
                import pytest

                @pytest.hookimpl(hookwrapper=True, tryfirst=True)
                def pytest_runtest_makereport(item, call):
                    outcome = yield
                    if item.name == "test_fails":
                        outcome.get_result().outcome = "passed"
                """,
                id="makereport for the one that fails",
            ),
            pytest.param(
                """
                import pytest

                @pytest.hookimpl(hookwrapper=True)
                def pytest_runtest_makereport(item, call):
                    outcome = yield
                    report = outcome.get_result()
                    if item.name == "test_fails" and report.failed:
                        report.outcome, report.wasxfail = "skipped", "all is well"
                """,
                id="makereport into an expected failure",
            ),
            pytest.param(
                """
                import pytest

                @pytest.hookimpl(hookwrapper=True)
                def pytest_runtest_call(item):
                    outcome = yield
                    outcome.force_result(None)
                """,
                id="call swallows",
            ),
            pytest.param(
                """
                def pytest_pyfunc_call(pyfuncitem):
                    return True if pyfuncitem.name == "test_fails" else None
                """,
                id="pyfunc_call",
            ),
            pytest.param(
                """
                from _pytest.reports import TestReport

                def pytest_runtest_protocol(item, nextitem):
                    if item.name != "test_fails":
                        return None
                    for when in ("setup", "call", "teardown"):
                        report = TestReport(item.nodeid, item.location, {}, "passed", None, when)
                        item.ihook.pytest_runtest_logreport(report=report)
                    return True
                """,
                id="runtest_protocol",
            ),
            pytest.param(
                """
                import pytest

                def pytest_collection_modifyitems(items):
                    for item in items:
                        item.add_marker(pytest.mark.xfail)
                """,
                id="everything xfail",
            ),
            pytest.param(
                """
                def pytest_collection_modifyitems(config, items):
                    lost = [item for item in items if item.name == "test_fails"]
                    items[:] = [item for item in items if item not in lost]
                    config.hook.pytest_deselected(items=lost)
                """,
                id="deselects",
            ),
            pytest.param(
                """
                def pytest_collection_modifyitems(items):
                    items[:] = [item for item in items if item.name != "test_fails"]
                """,
                id="drops in silence",
            ),
            pytest.param("collect_ignore = ['test_it.py']", id="collect_ignore"),
            pytest.param(
                """
                import _pytest.runner
                _pytest.runner.check_interactive_exception = lambda call, report: False
                call = _pytest.runner.CallInfo.from_call.__func__
                def from_call(cls, function, when, reraise=None):
                    return call(cls, (lambda: None) if when == "call" else function, when, reraise)
                _pytest.runner.CallInfo.from_call = classmethod(from_call)
                """,
                id="CallInfo.from_call",
            ),
            pytest.param(
                """
                import pytest
                run = pytest.Function.runtest
                pytest.Function.runtest = lambda self: None if self.name == "test_fails" else run(self)
                """,
                id="Function.runtest for the one that fails",
            ),
            pytest.param(
                """
                import pytest
                make = pytest.TestReport.from_item_and_call.__func__
                def from_item_and_call(cls, item, call):
                    report = make(cls, item, call)
                    report.outcome = "passed"
                    return report
                pytest.TestReport.from_item_and_call = classmethod(from_item_and_call)
                """,
                id="TestReport",
            ),
            pytest.param(
                """
                def pytest_sessionfinish(session):
                    session.exitstatus = 0
                    session.testsfailed = 0
                """,
                id="exit status",
            ),
            pytest.param(
                """
                import pytest
                pytest.exit("all passed", returncode=0)
                """,
                id="pytest.exit",
            ),
        ],
    )
    def test_in_conftest(self, plugin, capsys, conftest):
        plugin.remove("samples.json")
        plugin.write("tests/conftest.py", conftest)
        plugin.write("tests/test_it.py", FAILING)
        assert any(rule.startswith(("tests.", "run.")) for rule in judged(capsys, plugin).rules)

    @pytest.mark.parametrize(
        ("file", "text"),
        [
            ("pytest.ini", "[pytest]\naddopts = --collect-only\n"),
            ("pytest.ini", "[pytest]\naddopts = --setup-only\n"),
            ("pytest.ini", "[pytest]\naddopts = -k test_fine\n"),
            ("pytest.ini", "[pytest]\naddopts = --version\n"),
            ("pytest.ini", "[pytest]\npython_functions = test_fine\n"),
            ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "--collect-only"\n'),
            ("sitecustomize.py", "import os\nos._exit(0)\n"),
            ("pytest.py", "def main(*a, **k): return 0\n"),
        ],
    )
    def test_in_a_file(self, plugin, capsys, file, text):
        plugin.remove("samples.json")
        plugin.write(file, text)
        plugin.write("tests/test_it.py", FAILING)
        assert any(rule.startswith("tests.") for rule in judged(capsys, plugin).rules)

    def test_from_an_earlier_stage(self, plugin, capsys):
        plugin.write(
            "manifest.py",
            "import os, sys\nos.environ['PYTEST_ADDOPTS'] = '--collect-only'\nsys.modules['pytest'] = None\n"
            + (plugin.root / "manifest.py").read_text(),
        )
        plugin.write("tests/test_it.py", FAILING)
        assert "tests.failed" in judged(capsys, plugin).rules


def test_honest_uses_of_conftest_pass(plugin, capsys):
    plugin.write(
        "tests/conftest.py",
        """
        import pytest

        def pytest_configure(config):
            config.addinivalue_line("markers", "slow: takes long")

        @pytest.fixture(autouse=True)
        def around(monkeypatch):
            monkeypatch.setenv("A", "1")

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            outcome = yield
            setattr(item, "report_" + outcome.get_result().when, outcome.get_result())
        """,
    )
    plugin.write(
        "tests/test_it.py",
        """
        import unittest
        import pytest

        class TestGroup:
            @pytest.mark.parametrize("n", [1, 2])
            def test_parameters(self, n):
                assert n

        class Old(unittest.TestCase):
            def test_old(self):
                self.assertTrue(True)

            def test_left_out(self):
                raise unittest.SkipTest("not here")

        class TestData:
            __test__ = False
            def test_no_test(self): pass

        @pytest.fixture
        def test_text():
            return "text"

        def test_fixture(test_text):
            assert test_text

        @pytest.mark.slow
        @pytest.mark.xfail(reason="known")
        def test_known():
            assert False

        def test_skipped():
            pytest.skip("no GPU")

        def test_imperative():
            pytest.xfail("known")
        """,
    )
    verdict = plugin_test(capsys, plugin, *SANDBOX)
    assert verdict.rules == []
    assert verdict.check("tests")["detail"] == "4 passed, 2 skipped, 2 xfailed"


# Beside process 1 and a stage's own process there is the worker alone.
WORKER = """
import os, time

def worker():
    (found,) = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {1, os.getpid()}
    return found
"""


class TestKilledGuests:
    @pytest.mark.parametrize(
        ("attack", "rules"),
        [
            ("os.kill(1, 9); os.kill(1, 15); os.kill(1, 2); os.kill(1, 19)", ["tests.failed"]),
            ("os.kill(-1, 9)", ["run.died"]),
            ("os.kill(worker(), 9); time.sleep(60)", ["run.died"]),
            ("os.kill(worker(), 19); os.kill(os.getpid(), 19)", ["run.timeout"]),
            ("os.kill(worker(), 19); os._exit(0)", ["run.exited"]),
            ("os.kill(worker(), 18); time.sleep(0.2)", ["tests.failed"]),
            ("os.kill(os.getpid(), 11)", ["run.signal"]),
            ("os.closerange(0, 1024)", ["run.exited"]),
        ],
    )
    def test_by_signals_and_closed_descriptors(self, plugin, capsys, attack, rules):
        plugin.write("tests/test_it.py", f"{WORKER}\ndef test_attack():\n    {attack}\n    assert False\n")
        verdict = judged(capsys, plugin, *(("--timeout", "3") if rules == ["run.timeout"] else ()))
        assert verdict.rules == rules
        assert verdict.check("samples")["status"] == "passed"  # a new worker took over

    def test_by_a_full_disk(self, plugin, capsys):
        """Not an attack that fails a plugin by itself: what a stage leaves on disk is gone before the next one."""
        plugin.write(
            "manifest.py",
            """
            import os
            os.makedirs("/tmp/deep")
            os.chdir("/tmp/deep")
            for _ in range(3000):
                os.mkdir("d" * 100)
                os.chdir("d" * 100)
            os.chmod("/tmp/deep", 0)
            try:
                with open("/tmp/full", "wb") as file:
                    while True:
                        file.write(bytes(1 << 20))
            except OSError:
                pass
            """
            + (plugin.root / "manifest.py").read_text().replace("\n", "\n            "),
        )
        plugin.write(
            "tests/test_it.py", "def test_disk(tmp_path):\n    (tmp_path / 'a').write_bytes(bytes(1 << 20))\n"
        )
        assert plugin_test(capsys, plugin, *SANDBOX).rules == []


def test_reaching_out_of_the_stage_is_refused(plugin, capsys):
    """One run for all attempts: the plugin's own tests pass when each fails, and the report tells of them."""
    plugin.write(
        "tests/test_it.py",
        WORKER
        + """
import ctypes, resource, socket
import pytest

def libc(name, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)

@pytest.mark.parametrize(
    "attempt",
    [
        "open('/proc/1/mem', 'r+b')",
        "os.listdir('/proc/1/fd')",
        "open('/proc/1/environ', 'rb').read()",
        "open(f'/proc/{worker()}/mem', 'r+b')",
        "os.listdir(f'/proc/{worker()}/fd')",
        "libc('ptrace', 16, 1, 0, 0)",
        "libc('ptrace', 16, worker(), 0, 0)",
        "libc('process_vm_readv', 1, 0, 0, 0, 0, 0)",
        "libc('process_vm_writev', worker(), 0, 0, 0, 0, 0)",
        "libc('syscall', 438, os.pidfd_open(1), 1, 0)",
        "resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))",
        "resource.prlimit(worker(), resource.RLIMIT_CPU, (1, 1))",
        "open('/opt/mixpeek/runtime/engine/rows.py', 'a')",
        "open('/sys/fs/cgroup/x', 'w')",
        "socket.socket(socket.AF_INET).connect(('203.0.113.1', 9))",
        "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 9))",
        "socket.socket(socket.AF_NETLINK)",
        "os.setuid(0)",
        "libc('unshare', 0x10000000)",
        "libc('mount', b'none', b'/tmp', b'tmpfs', 0, 0)",
        "open('/var/run/docker.sock', 'rb')",
    ],
)
def test_attempt(attempt):
    with pytest.raises(OSError):
        exec(attempt)
""",
    )
    verdict = plugin_test(capsys, plugin, *SANDBOX)
    assert {rule.partition(".")[0] for rule in verdict.rules} == {"behaviour"}, verdict.envelope["findings"]
    assert {"behaviour.denied-call", "behaviour.network"} <= set(verdict.rules)
    assert verdict.check("tests")["detail"] == "21 passed"


class TestDaemons:
    DAEMON = """
    import os, signal, time

    def daemon(work):
        if os.fork():
            return
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork():
            os._exit(0)
        end = time.time() + 30
        while time.time() < end:
            try:
                work()
            except Exception:
                pass
    """

    def test_one_that_writes_to_every_later_stage_never_sees_one(self, plugin, capsys):
        plugin.write(
            "daemon.py",
            self.DAEMON
            + """
    def work():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) != os.getpid():
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with open(f"/proc/{pid}/fd/{fd}", "wb") as file:
                        file.write(b"forged" * 100)
    """,
        )
        plugin.write(
            "manifest.py",
            "from .daemon import daemon, work\ndaemon(work)\n" + (plugin.root / "manifest.py").read_text(),
        )
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        stages = verdict.envelope["data"]["evidence"]["stages"]
        assert {name: stage["ended"] for name, stage in stages.items() if name != "describe"} == {
            "tests": "exited",
            "samples": "exited",
        }
        assert verdict.check("samples")["status"] == "passed"

    def test_one_that_floods_the_output_after_its_stage_has_ended(self, plugin, capsys):
        plugin.write("daemon.py", self.DAEMON + "\n    def work():\n        os.write(1, b'x' * 65536)\n")
        plugin.write(
            "manifest.py",
            "from .daemon import daemon, work\ndaemon(work)\n" + (plugin.root / "manifest.py").read_text(),
        )
        plugin_test(capsys, plugin, *SANDBOX, "--timeout", "3")  # that it ends in time is the point

    def test_one_that_hops_from_process_to_process(self, plugin, capsys):
        plugin.write(
            "tests/test_it.py",
            """
            import os, time
            def test_hop():
                if os.fork():
                    return
                os.setsid()
                end = time.time() + 30
                while time.time() < end:
                    if os.fork():
                        os._exit(0)
            """,
        )
        verdict = plugin_test(capsys, plugin, *SANDBOX, "--timeout", "3")
        assert verdict.check("samples")["status"] == "passed"


class TestBombs:
    @pytest.mark.parametrize(
        ("returned", "rules"),
        [
            ("{'embedding': [1.0, 2.0], 'deep': nested(100_000), 'long': 'y' * (1 << 26), 'wide': 10**5000}", []),
            ("{str(i) * 2000: [1.0] * 1000 for i in range(5000)}", ["realtime.embedding"]),
            ("{'embedding': [1.0] * 10_000_000}", ["realtime.dimension"]),
        ],
        ids=["values", "keys", "vector"],
    )
    def test_a_response(self, plugin, capsys, returned, rules):
        plugin.remove("samples.json")
        plugin.write(
            "realtime.py",
            f"""
            def nested(depth):
                value = {{}}
                for _ in range(depth):
                    value = {{"a": value}}
                return value

            class RealtimeHandler:
                def predict(self, request):
                    return {returned}
            """,
        )
        assert plugin_test(capsys, plugin, *SANDBOX).rules == rules

    def test_a_body(self, plugin, capsys):
        """The other shapes are tried on the protocol itself, in the unit tests."""
        plugin.remove("samples.json")
        plugin.write(
            "tests/conftest.py",
            FORGE
            + "body = b'{\"type\":\"result\",\"a\":' + b'[' * 100_000 + b']' * 100_000 + b'}'\n"
            + "spray(struct.pack('!IQ', len(body), 0) + body)\n",
        )
        assert "run.policy-violation" in judged(capsys, plugin).rules

    def test_a_table_over_the_limit(self, plugin, capsys):
        plugin.remove("samples.json")
        plugin.write("tests/conftest.py", FORGE + "spray(struct.pack('!IQ', 2, 1 << 40) + b'{}')\n")
        assert "run.policy-violation" in judged(capsys, plugin).rules

    def test_a_table_that_grows_when_it_is_read(self, plugin, capsys):
        # The stage's own writer, patched to compress: eight megabytes of zeros in a few hundred bytes.
        plugin.write(
            "pipeline.py",
            """
            import io
            import pyarrow as pa
            import sandbox.guest.stages.samples as samples

            def bomb(table, matched):
                table = pa.table({"vector": [0] * 1_000_000, "__matched__": [True] * 1_000_000})
                sink = io.BytesIO()
                options = pa.ipc.IpcWriteOptions(compression="zstd")
                with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
                    writer.write_table(table)
                return sink.getvalue()

            samples._arrow = bomb
            """
            + (plugin.root / "pipeline.py").read_text().replace("\n", "\n            "),
        )
        assert "compressed" in judged(capsys, plugin).finding("samples.data")["message"]
