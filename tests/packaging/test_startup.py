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
