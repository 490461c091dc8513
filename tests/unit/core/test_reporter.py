"""What long work says: a line for each phase, alive on a terminal, nothing where a program listens."""

from __future__ import annotations

import io

import pytest

from images.build_phases import Phases, RunningPhase
from toolchain.core.reporter import Phase, StreamReporter


class Terminal(io.StringIO):
    """A stream that says that a person looks at it."""

    def isatty(self) -> bool:
        return True


def worked(stream: io.StringIO) -> str:
    phases = Phases(StreamReporter(stream))
    with phases.run("fetch") as phase:
        phase.advance("1.0 MB")
        phase.bytes = 87_000_000
    with phases.run("dependencies") as phase:
        phase.note, phase.bytes, phase.cached = "10 packages", 300_000_000, True
    assert [(result.name, result.cached, result.bytes) for result in phases.results] == [
        ("fetch", False, 87_000_000),
        ("dependencies", True, 300_000_000),
    ]
    return stream.getvalue()


def test_a_file_gets_one_line_for_each_finished_phase() -> None:
    lines = worked(io.StringIO()).splitlines()
    assert len(lines) == 2
    assert lines[0].split()[:2] == ["ok", "fetch"]
    assert "87.0 MB" in lines[0]
    assert lines[1].endswith("10 packages, 300.0 MB, cached")
    assert "\x1b" not in "".join(lines)


def test_a_terminal_sees_the_phase_that_runs_and_how_far_it_is() -> None:
    said = worked(Terminal())
    assert "...  fetch 1.0 MB" in said
    assert said.count("\n") == 2
    assert "ok   fetch" in said


def test_a_rate_is_shown_where_there_was_time_to_measure_one() -> None:
    phase = RunningPhase(Phase("fetch"))
    phase.bytes = 100_000_000
    assert phase.text(2.0) == "100.0 MB (50 MB/s)"
    assert phase.text(0.001) == "100.0 MB"
    phase.cached = True
    assert phase.text(2.0) == "100.0 MB, cached"


def test_what_is_small_has_a_size_that_says_so_and_no_rate() -> None:
    phase = RunningPhase(Phase("code"))
    phase.bytes = 9_216
    assert phase.text(2.0) == "9.2 kB"
    phase.bytes = 700_000
    assert phase.text(2.0) == "0.7 MB"


def test_a_phase_that_fails_is_marked_and_not_kept() -> None:
    stream = io.StringIO()
    phases = Phases(StreamReporter(stream))
    with pytest.raises(ValueError, match="broken"), phases.run("fetch"):
        raise ValueError("broken")
    assert stream.getvalue().split()[:2] == ["FAIL", "fetch"]
    assert phases.results == ()


def test_what_a_stranger_wrote_is_cleaned_before_a_terminal_sees_it() -> None:
    stream = Terminal()
    with StreamReporter(stream, clean=lambda text: text.replace("\x07", "?")).phase("x") as phase:
        phase.advance("\x07")
        phase.result = "\x07"
    assert "\x07" not in stream.getvalue()
