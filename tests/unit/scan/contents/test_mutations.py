"""Archives, models and configurations, damaged at random: what comes of them is problems, never a fault."""

from __future__ import annotations

import json
import pickle

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.archives import tarred, zipped
from toolchain.scan import Limits
from toolchain.scan.contents import Reading, carries_code, classify
from toolchain.scan.contents.archives import members
from toolchain.scan.gathering import Kept
from toolchain.scan.inspect import inspect_entry
from toolchain.scan.policy import load_policy
from toolchain.scan.sources import program_sources

_LIMITS = Limits(total_bytes=64 << 20, file_bytes=16 << 20, ratio_floor=1 << 20)
_SEEDS = (
    zipped({"a.py": b"import os" * 30, "b/c.yaml": b"a: !!python/name:os.system\n"}),
    tarred(("a.py", b"1"), ("b", b"2" * 900)),
    tarred(("a.py", b"1"), mode="w:xz"),
    tarred(("a.py", b"1"), mode="w"),
    pickle.dumps({"a": [1, print]}),
    b"\x93NUMPY\x01\x00\x46\x00{'descr': '|O'}" + b" " * 50 + pickle.dumps(print),
    b"\x08\x08" + b"\x42\x03\x0a\x01x" * 9,
    json.dumps({"cells": [{"cell_type": "code", "source": ["x = 1"]}]}).encode(),
)
_NAMES = (
    "a.bin",
    "a.py",
    "a.zip",
    "a.onnx",
    "a.ipynb",
    "a.npy",
    "config.json",
    "a.yaml",
    "a.pth",
    "a.txt",
    "a.pkl",
)
_CHANGES = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 12), st.binary(max_size=9)), max_size=8)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(_SEEDS), st.sampled_from(_NAMES), _CHANGES)
def test_damaged_files_are_problems(seed: bytes, name: str, changes: list[tuple[int, int, bytes]]) -> None:
    data = seed
    for place, dropped, added in changes:
        at = place % (len(data) + 1)
        data = data[:at] + added + data[at + dropped :]
    reading = Reading(_LIMITS)
    outer = reading.admit(name, data)
    for entry in (outer, *members(outer, reading)):
        kind = classify(entry.name, entry.data)
        carries_code(kind, entry.data)
        rules = load_policy().rules
        assert all(problem.rule in rules for problem in inspect_entry(entry, kind, load_policy(), _LIMITS))
        program_sources({entry.name: Kept(kind, entry.data)})

    assert all(problem.rule in load_policy().rules for problem in reading.problems)
