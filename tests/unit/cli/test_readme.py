"""The README's tables of options are those of the program."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/option_tables.py"


def load():
    spec = importlib.util.spec_from_file_location("option_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_fresh():
    script = load()
    readme = script.README.read_text(encoding="utf-8")
    assert script.START in readme
    assert script.filled(readme) == readme, "run python scripts/option_tables.py"
