"""The time of one scan bounds all of its workers together."""

from __future__ import annotations

from toolchain.scan.model import Limits
from toolchain.scan.pool import Sources, judge_sources


def test_what_is_left_when_the_time_is_over_is_told_and_starts_no_worker():
    files = {f"{number}.py": b"import os\n" for number in range(60)}
    answers = judge_sources(Sources(files, (), 2), Limits(total_seconds=0))
    assert {answer["file"] for answer in answers} == set(files)
    assert {answer["problem"][0] for answer in answers} == {"limit.total"}
