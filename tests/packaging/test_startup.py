"""What starting the program imports: heavy libraries belong to the commands that use them."""

import subprocess
import sys

import pytest

HEAVY = {
    "pandas",
    "numpy",
    "pyarrow",
    "docker",
    "bandit",
    "pydantic",
    "httpx",
    "requests",
    "pynvml",
    "pytest",
    "uv",
}


def modules_after(*arguments):
    code = (
        "import sys\n"
        "from toolchain.cli.main import run\n"
        f"run({list(arguments)!r})\n"
        "sys.stderr.write('\\n'.join(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("plugin", "--help"),
        ("plugin", "init", "--help"),
        ("plugin", "test", "--help"),
        ("plugin", "scan", "--help"),
        ("plugin", "diff", "--help"),
    ],
    ids=" ".join,
)
def test_help_and_version_import_nothing_heavy(arguments):
    assert modules_after(*arguments) & HEAVY == set()


def test_version_imports_click_and_the_standard_library_only():
    third_party = modules_after("--version") - set(sys.stdlib_module_names) - {"click", "toolchain", "__main__"}
    # names that the interpreter's own start-up brings in, such as an editable install's finder
    assert {
        name for name in third_party if not name.startswith(("_", "sitecustomize", "usercustomize", "a1_coverage"))
    } == set()


WITHOUT_PANDAS = """
import sys, numpy, pyarrow as pa
from toolchain.check.vectors import EmbeddingFeature, check_vectors

def buffer(values, kind):
    return pa.py_buffer(numpy.array(values, kind).tobytes())

# By buffers: pyarrow's way from lists imports pandas itself.
flat = pa.Array.from_buffers(pa.float64(), 4, [buffer([7], "u1"), buffer([0, 1, 2, 3], "f8")])
offsets = [None, buffer([0, 2, 4], "i4")]
rows = pa.ListArray.from_buffers(pa.list_(pa.float64()), 2, offsets, children=[flat])
matched = pa.chunked_array([pa.Array.from_buffers(pa.bool_(), 2, [None, buffer([3], "u1")])])
table = pa.Table.from_arrays([rows], ["v"])
_, findings = check_vectors(table, EmbeddingFeature("v", 2, alone=True), matched)
print([finding.rule for finding in findings], "pandas" in sys.modules)
"""


def test_vectors_are_measured_without_pandas():
    # A sandboxed test measures them when all else is done: importing pandas here made every run 0.2 s longer.
    argv = [sys.executable, "-c", WITHOUT_PANDAS]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "['samples.not-finite'] False\n"
