# data tables
# ruff: noqa: E501
"""bandit beside our own evaluator, in a bounded process: only its rules of our classes, no suppressions."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from toolchain.core.errors import ProcessFailed
from toolchain.core.process import run
from toolchain.scan.model import Limits

_TESTS = {
    "B102": "E", "B307": "E", "B301": "D", "B302": "D", "B506": "D", "B614": "D", "B312": "N", "B321": "N", "B401": "N", "B402": "N",
    "B404": "P", "B602": "P", "B603": "P", "B604": "P", "B605": "P", "B606": "P", "B607": "P",
}  # fmt: skip
# bandit names these tests by literal words; a file without any of them has nothing for it.
_WORDS = re.compile(
    rb"exec|eval|pickle|marshal|yaml|torch|telnetlib|ftplib|subprocess|popen|system|spawn|shell|commands|dill|shelve|joblib"
)


@dataclass(frozen=True)
class BanditHit:
    """One result of bandit, or its failure on a file."""

    file: str
    line: int
    last: int
    power: str
    test: str
    message: str
    failure: bool = False


def bandit_hits(sources: dict[str, bytes], limits: Limits) -> list[BanditHit]:
    """What bandit says of the files; a file it cannot read is a failure."""
    chosen = {name: data for name, data in sources.items() if _WORDS.search(data)}
    if not chosen or find_spec("bandit") is None:
        return []
    with tempfile.TemporaryDirectory(prefix="mixpeek-scan-") as folder:
        names: dict[str, str] = {}
        for position, (name, data) in enumerate(chosen.items()):
            path = Path(folder, f"{position}.py")
            path.write_bytes(data)
            names[str(path)] = name
        try:
            done = run(
                _argv(Path(folder), list(names)),
                timeout=limits.total_seconds,
                cwd=Path(folder),
                env={"HOME": folder},
            )
            report = json.loads(Path(folder, "report.json").read_bytes())
        except (ProcessFailed, OSError, ValueError) as reason:
            return [BanditHit("", 1, 1, "U", "bandit", f"bandit failed: {reason}", failure=True)]
        if done.returncode not in {0, 1}:
            return [BanditHit("", 1, 1, "U", "bandit", f"bandit ended with {done.returncode}", failure=True)]
    return _hits(report, names)


def _argv(folder: Path, files: list[str]) -> list[str]:
    (folder / "bandit.yaml").write_text("{}\n")
    wanted = [
        "-t",
        ",".join(_TESTS),
        "--ignore-nosec",
        "-c",
        str(folder / "bandit.yaml"),
        "-f",
        "json",
        "-o",
        str(folder / "report.json"),
    ]
    (folder / "files").write_text("\n".join(files))
    program = "import sys; from bandit.cli.main import main; main()"
    return [sys.executable, "-I", "-c", program, *wanted, "-q", *files]


def _hits(report: dict[str, list[dict[str, object]]], names: dict[str, str]) -> list[BanditHit]:
    found = [
        BanditHit(
            names[str(item["filename"])],
            int(str(item["line_number"])),
            max(item["line_range"])
            if isinstance(item["line_range"], list) and item["line_range"]
            else int(str(item["line_number"])),
            _TESTS.get(str(item["test_id"]), "U"),
            str(item["test_id"]),
            str(item["issue_text"]),
        )
        for item in report["results"]
    ]
    found += [
        BanditHit(
            names.get(str(item["filename"]), str(item["filename"])),
            1,
            1,
            "U",
            "bandit",
            f"bandit: {item['reason']}",
            failure=True,
        )
        for item in report["errors"]
    ]
    return found
