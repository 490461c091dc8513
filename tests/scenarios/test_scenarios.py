"""Runs the scenario files beside this one: a user's flow each, readable from top to bottom.

A scenario is a text file. ``$ mixpeek …`` runs the program in a folder of the scenario's own, ``exit N`` states
its exit status, ``says TEXT`` and ``never TEXT`` what its two outputs together hold or not. ``append FILE``,
``write FILE`` and ``remove FILE`` edit files; what is written follows, indented by four spaces. ``#`` starts a
comment.
"""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIOS = sorted(Path(__file__).parent.glob("*.txt"))

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(scenario, tmp_path):
    play = Play(tmp_path)
    for number, line in enumerate(scenario.read_text().splitlines(), 1):
        play.line(f"{scenario.name}:{number}", line)
    play.line("the end", "#")
    assert play.commands > 0


def test_there_are_scenarios():
    assert len(SCENARIOS) >= 4


class Play:
    """The state of one scenario: its folder, the file being written, and what the last command said."""

    def __init__(self, folder):
        self.folder = folder
        self.commands = 0
        self._writing = None
        self._status = None
        self._said = ""

    def line(self, place, line):
        if self._writing is not None and (line.startswith("    ") or not line):
            with (self.folder / self._writing).open("a") as file:
                file.write(line.removeprefix("    ") + "\n")
            return
        self._writing = None
        word, _, rest = line.partition(" ")
        if word and not word.startswith("#"):
            actions = {"$": self._run, "exit": self._exit, "says": self._says, "never": self._never,
                       "write": self._write, "append": self._append, "remove": self._remove}  # fmt: skip
            assert word in actions, f"{place}: no action called {word!r}"
            actions[word](place, rest)

    def _run(self, place, command):
        program, *arguments = shlex.split(command)
        assert program == "mixpeek", f"{place}: only mixpeek is run"
        argv = [sys.executable, "-m", "toolchain.cli.main", *arguments]
        done = subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, timeout=300, check=False)
        self._status, self._said = done.returncode, done.stdout + done.stderr
        self.commands += 1

    def _exit(self, place, status):
        assert self._status == int(status), f"{place}: it left with {self._status} and said:\n{self._said}"

    def _says(self, place, text):
        assert text in self._said, f"{place}: it never said {text!r} but:\n{self._said}"

    def _never(self, place, text):
        assert text not in self._said, f"{place}: it said {text!r}:\n{self._said}"

    def _write(self, place, name):
        (self.folder / name).unlink(missing_ok=True)
        self._append(place, name)

    def _append(self, place, name):
        assert name, f"{place}: which file?"
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).touch()
        self._writing = name

    def _remove(self, place, name):
        assert (self.folder / name).is_file(), f"{place}: there is no {name}"
        (self.folder / name).unlink()
