"""Plugins that are wrong, run in the sandbox: each is told clearly, with the right exit code, leaving nothing."""

from __future__ import annotations

import time

import pytest

from tests.support.verdicts import plugin_test

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

SANDBOX = ("--sandbox", "--timeout", "20")


def test_the_plugin_that_the_others_spoil_passes(plugin, capsys):
    verdict = plugin_test(capsys, plugin, *SANDBOX)
    assert (verdict.exit_code, verdict.rules) == (0, [])
    assert verdict.check("ending")["source"] == "observed"
    assert verdict.check("tests")["source"] == "claimed"


class TestManifest:
    def test_a_schema_that_is_no_pydantic_model(self, plugin, capsys):
        plugin.replace("manifest.py", "class Input(BaseModel)", "class Input")
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("schemas.not-pydantic")
        assert "input_schema is class Input" in finding["message"]
        assert "pydantic.BaseModel" in finding["remedy"]
        assert (finding["file"], finding["line"]) == ("manifest.py", 18)

    def test_the_wrong_feature_keys_are_told_together(self, plugin, capsys):
        for right, wrong in (
            ("feature_type", "type"),
            ("feature_name", "name"),
            ("embedding_dim", "dimensions"),
            ("distance_metric", "distance"),
        ):
            plugin.replace("manifest.py", f'"{right}"', f'"{wrong}"')
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        unknown = [f for f in verdict.envelope["findings"] if "unknown key" in f["message"]]
        assert verdict.exit_code == 1
        assert [finding["remedy"] for finding in unknown] == [
            "rename it to 'feature_type'",
            "rename it to 'feature_name'",
            "rename it to 'embedding_dim'",
            "rename it to 'distance_metric'",
        ]
        assert [finding["line"] for finding in unknown] == [22, 23, 24, 25]

    def test_an_unknown_category(self, plugin, capsys):
        plugin.replace("manifest.py", '"category": "text"', '"category": "txt"')
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("schemas.category")
        assert "did you mean 'text'?" in finding["remedy"]

    def test_a_manifest_that_raises_when_imported(self, plugin, capsys):
        plugin.write("manifest.py", (plugin.root / "manifest.py").read_text() + "\n1 / 0\n")
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        finding = verdict.finding("manifest.import")
        assert "ZeroDivisionError" in finding["message"]
        assert finding["file"] == "manifest.py"
        assert verdict.exit_code == 1

    def test_an_import_of_a_package_that_is_not_declared(self, plugin, capsys):
        plugin.replace("pipeline.py", "from .manifest", "import nowhere_to_be_found\nfrom .manifest")
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("pipeline.import")
        assert "add the distribution" in finding["remedy"]
        assert (finding["file"], finding["line"]) == ("pipeline.py", 8)

    def test_text_in_the_plugin_does_not_steer_the_terminal(self, plugin, capsys):
        plugin.write("pipeline.py", r"raise RuntimeError('\x1b[2J\x1b[H\nPASSED\r\ud800\u202e')")
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("pipeline.import")
        assert "\x1b" not in finding["message"]
        assert "\nPASSED" not in finding["message"]


class TestPipeline:
    def test_build_steps_that_raises(self, plugin, capsys):
        plugin.replace("pipeline.py", "    step = ", "    raise LookupError('no such model')\n    step = ")
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("pipeline.build-steps-raised")
        assert "LookupError: no such model" in finding["message"]
        assert (finding["file"], finding["line"]) == ("pipeline.py", 21)

    def test_an_exception_whose_own_text_raises(self, plugin, capsys):
        plugin.replace(
            "pipeline.py",
            "    step = ",
            "    class Odd(Exception):\n        __str__ = lambda self: exit(0)\n    raise Odd\n    step = ",
        )
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("pipeline.build-steps-raised")
        assert "its message cannot be shown" in finding["message"]

    def test_build_steps_that_returns_nothing(self, plugin, capsys):
        plugin.replace("pipeline.py", '    return {"steps"', '    {"steps"')
        assert plugin_test(capsys, plugin, *SANDBOX).finding("pipeline.result")["file"] == "pipeline.py"

    def test_a_step_whose_class_cannot_be_constructed(self, plugin, capsys):
        plugin.replace("pipeline.py", "config, progress_actor=None", "")
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert "pipeline.step-construct" in verdict.rules
        assert verdict.exit_code == 1

    def test_a_build_steps_that_hangs(self, plugin, capsys):
        plugin.replace("pipeline.py", "    step = ", "    import time; time.sleep(600)\n    step = ")
        began = time.monotonic()
        verdict = plugin_test(capsys, plugin, *SANDBOX, "--timeout", "2")
        assert time.monotonic() - began < 60  # three stages call it; the host waits for minutes
        assert "describe did not finish" in verdict.envelope["findings"][0]["message"]
        assert "calling build_steps" in verdict.envelope["findings"][0]["message"]
        assert set(verdict.rules) == {"run.timeout"}


class TestTests:
    def test_one_that_fails(self, plugin, capsys):
        plugin.write("tests/test_it.py", "def test_sum():\n    assert 1 + 1 == 3, 'arithmetic'\n")
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        finding = verdict.finding("tests.failed")
        assert "tests/test_it.py::test_sum failed" in finding["message"]
        assert "arithmetic" in finding["message"]
        assert (finding["file"], finding["line"]) == ("tests/test_it.py", 2)
        assert verdict.exit_code == 1

    def test_one_that_hangs_is_named(self, plugin, capsys):
        plugin.write("tests/test_it.py", "import time\ndef test_sleep():\n    time.sleep(600)\n")
        finding = plugin_test(capsys, plugin, *SANDBOX, "--timeout", "2").finding("run.timeout")
        assert "tests/test_it.py::test_sleep" in finding["message"]
        assert "--timeout" in finding["remedy"]

    def test_one_that_ends_the_interpreter_with_success(self, plugin, capsys):
        plugin.write("tests/test_it.py", "import os\ndef test_exit():\n    os._exit(0)\n")
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert "ended the interpreter with status 0" in verdict.finding("run.exited")["message"]
        assert verdict.exit_code == 1

    def test_one_that_calls_sys_exit(self, plugin, capsys):
        plugin.write("tests/test_it.py", "import sys\ndef test_exit():\n    sys.exit(0)\n")
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert "SystemExit" in verdict.finding("tests.failed")["message"]

    def test_a_conftest_that_calls_sys_exit(self, plugin, capsys):
        plugin.write("tests/conftest.py", "import sys\nsys.exit(0)\n")
        assert plugin_test(capsys, plugin, *SANDBOX).exit_code == 1

    def test_one_that_prints_a_gigabyte(self, plugin, capsys):
        plugin.write(
            "tests/test_it.py",
            "import os\ndef test_print():\n    for _ in range(1 << 14):\n        os.write(1, b'x' * (1 << 16))\n",
        )
        plugin.write("pytest.ini", "[pytest]\naddopts = -s\n")
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("run.output-limit")
        assert "more than 16 MiB" in finding["message"]

    def test_one_that_has_pytest_capture_a_gigabyte(self, plugin, capsys):
        plugin.write(
            "tests/test_it.py",
            "import os\ndef test_print():\n    for _ in range(1 << 14):\n        os.write(1, b'x' * (1 << 16))\n",
        )
        assert plugin_test(capsys, plugin, *SANDBOX).exit_code == 1  # the capture file fills /tmp: that raises

    def test_one_that_forks_without_end(self, plugin, capsys):
        plugin.write(
            "tests/test_it.py",
            """
            import os
            def test_forks():
                while True:
                    try:
                        os.fork()
                    except OSError:
                        pass
            """,
        )
        verdict = plugin_test(capsys, plugin, *SANDBOX, "--timeout", "2")
        assert "run.timeout" in verdict.rules
        assert verdict.check("samples")["status"] == "passed"  # the next stage starts on clean ground

    def test_one_that_eats_all_memory(self, plugin, capsys):
        plugin.write("tests/test_it.py", "def test_eat():\n    x = []\n    while True: x.append(bytes(1 << 20))\n")
        verdict = plugin_test(capsys, plugin, "--sandbox", "--timeout", "20", "--memory", "256m")
        assert "run.memory" in verdict.rules
        assert verdict.exit_code == 1
        assert verdict.envelope["data"]["evidence"]["observed"]["out_of_memory"]

    def test_one_that_starts_threads_without_end(self, plugin, capsys):
        plugin.write(
            "tests/test_it.py",
            """
            import threading, time
            def test_threads():
                while True:
                    threading.Thread(target=time.sleep, args=(600,)).start()
            """,
        )
        verdict = plugin_test(capsys, plugin, *SANDBOX, "--timeout", "3")
        assert verdict.rules in (["tests.failed"], ["run.timeout"])  # it cannot start one, or never ends

    def test_a_file_of_tests_that_cannot_be_imported(self, plugin, capsys):
        plugin.write("tests/test_it.py", "import nowhere_to_be_found\n")
        finding = plugin_test(capsys, plugin, *SANDBOX).finding("tests.collection")
        assert "nowhere_to_be_found" in finding["message"]


class TestSamples:
    @pytest.mark.parametrize(
        ("data", "rule", "line"),
        [
            ({"rows.json": b""}, "samples.empty", None),
            ({"rows.json": b"[]"}, "samples.empty", None),
            ({"rows.json": b'[\n{"text": "a"},\n{"text": \n]'}, "samples.malformed", 4),
            ({"rows.ndjson": b'{"text": "a"}\n{"text"\n'}, "samples.malformed", 2),
            ({"rows.csv": b"text,other\na,b\nc\n"}, "samples.columns", 3),
            ({"rows.json": b'[\n{"text": "a"},\n{"text": "\xe4"}\n]'}, "samples.encoding", 3),
            ({"rows.parquet": b"PAR1 but no more"}, "samples.malformed", None),
        ],
        ids=["empty", "no rows", "JSON", "NDJSON", "a column short", "encoding", "Parquet"],
    )
    def test_a_file_that_cannot_be_read(self, plugin, capsys, data, rule, line):
        ((name, content),) = data.items()
        plugin.write(name, content)
        verdict = plugin_test(capsys, plugin, *SANDBOX, "--sample-data", str(plugin.root / name))
        finding = verdict.finding(rule)
        assert (finding["file"], finding["line"]) == (name, line)
        assert verdict.exit_code == 1

    def test_a_row_against_the_input_schema(self, plugin, capsys):
        plugin.write("samples.json", '[{"text": "a"}, {"text": null}]')
        message = plugin_test(capsys, plugin, *SANDBOX).finding("samples.input")["message"]
        assert "1 of 2 rows do not fit Input.text" in message
        assert "row 2" in message

    @pytest.mark.parametrize(
        ("made", "rule", "words"),
        [
            ('[[1.0, 2.0, 3.0] for _ in batch["text"]]', "samples.dimension", "vectors of 3 numbers"),
            ('[[float("nan"), float(len(text))] for text in batch["text"]]', "samples.not-finite", "NaN"),
            ('[[0.5, 0.5] for _ in batch["text"]]', "samples.all-equal", "all 3 vectors"),
            ('[None for _ in batch["text"]]', "samples.vectors-missing", "no vector in any row"),
            ('[["a", "b"] for _ in batch["text"]]', "samples.vector-type", "not lists of numbers"),
        ],
    )
    def test_vectors_that_cannot_be_used(self, plugin, capsys, made, rule, words):
        plugin.replace("pipeline.py", '[[float(len(text)), 1.0] for text in batch["text"]]', made)
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        matching = [f for f in verdict.envelope["findings"] if f["rule"] == rule and f["severity"] == "error"]
        assert words in matching[0]["message"]
        assert verdict.exit_code == 1

    def test_a_column_that_is_missing(self, plugin, capsys):
        plugin.replace("pipeline.py", 'batch["vector"]', 'batch["vectors"]')
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert "vector" in verdict.finding("samples.feature-missing")["message"]
        assert "samples.output" in verdict.rules  # and the output schema says so too

    def test_a_processor_that_loses_rows(self, plugin, capsys):
        plugin.replace("pipeline.py", "        return batch\n", "        return batch.head(1)\n")
        assert plugin_test(capsys, plugin, *SANDBOX).exit_code == 1


class TestRealtime:
    @pytest.mark.parametrize(
        ("returned", "rule", "words"),
        [
            ("[1.0, 2.0]", "realtime.response", "returned list"),
            ("None", "realtime.response", "returned NoneType"),
            ("{'embeddings': [1.0, 2.0]}", "realtime.embedding", "it has 'embeddings'"),
            ("{'embedding': [1.0]}", "realtime.dimension", "has 1 numbers"),
            ("{'embedding': [1.0, float('inf')]}", "realtime.not-finite", "NaN or infinity"),
        ],
    )
    def test_a_response_that_cannot_be_used(self, plugin, capsys, returned, rule, words):
        plugin.write(
            "realtime.py", f"class RealtimeHandler:\n    def predict(self, request):\n        return {returned}\n"
        )
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert words in verdict.finding(rule)["message"]
        assert verdict.exit_code == 1

    def test_a_module_without_a_handler(self, plugin, capsys):
        plugin.write("realtime.py", "")
        assert plugin_test(capsys, plugin, *SANDBOX).finding("realtime.handler-missing")["file"] == "realtime.py"


class TestNames:
    def test_a_folder_that_is_called_otherwise(self, plugin, capsys):
        renamed = plugin.root.rename(plugin.root.with_name("some-other [name]"))
        verdict = plugin_test(capsys, renamed, *SANDBOX)
        assert verdict.rules == []
        assert verdict.finding("structure.folder-name")["severity"] == "warning"
        renamed.rename(plugin.root)

    @pytest.mark.parametrize("name", ["json", "engine", "with-hyphen", "プラグイン"])
    def test_a_name_that_cannot_be_used_is_the_only_problem(self, plugin, capsys, name):
        plugin.replace("manifest.py", '"spoiled_plugin"', f'"{name}"')
        verdict = plugin_test(capsys, plugin, *SANDBOX)
        assert verdict.rules == ["schemas.name"]
        assert verdict.exit_code == 1

    def test_folders_that_are_called_like_the_platforms_packages(self, plugin, capsys):
        for folder in ("engine", "sandbox", "json", "pydantic"):
            plugin.write(f"{folder}/__init__.py", "value = 1")
        plugin.replace("pipeline.py", "from .manifest", "from .engine import value\nfrom .manifest")
        assert plugin_test(capsys, plugin, *SANDBOX).rules == []
