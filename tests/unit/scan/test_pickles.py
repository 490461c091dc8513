"""Pickles are judged by what loading them would import, in whatever order their opcodes say it."""

from __future__ import annotations

import collections
import datetime as dt
import pickle
import pickletools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolchain.scan.pickles import pickle_problems


class _Runs:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> Any:
        return self.call


_HOSTILE = {
    "protocol-0": pickle.dumps(_Runs(exec, "1"), 0),
    "protocol-4": pickle.dumps(_Runs(exec, "1"), 4),
    "nested-in-data": pickle.dumps({"a": [1, (_Runs(eval, "1"),)]}),
    "getattr": pickle.dumps(_Runs(getattr, 1, "real")),
    "names-from-the-memo": (
        b"\x80\x04\x8c\x08builtins\x94\x8c\x04exec\x940\x8c\x08builtins\x8c\x03set\x940h\x00h\x01\x93\x8c\x011\x85R."
    ),
    "names-duplicated": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.",
    "inst": b"(S'id'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'id'\no.",
    "second-pickle": pickle.dumps([1]) + b"cos\nsystem\n(S'id'\ntR.",
    "extension-registry": b"\x80\x02\x82\x01.",
    "name-not-a-string": b"\x80\x04K\x01\x8c\x04exec\x93.",
    "trailing-bytes": pickle.dumps([1]) + b"\x01\x02\x03",
    "cut-short": pickle.dumps(list(range(50)))[:-8],
}


@pytest.mark.parametrize("name", _HOSTILE)
def test_a_hostile_pickle_is_a_finding(name) -> None:
    assert pickle_problems(_HOSTILE[name]), name


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, "x", b"y", True]},
        collections.OrderedDict(a=1),
        dt.date(2026, 1, 1),
        {1, 2, 3},
        np.arange(12.0).reshape(3, 4),
        np.float32(1.5),
        2**80,
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_data_and_arrays_are_no_finding(protocol, value) -> None:
    assert pickle_problems(pickle.dumps(value, protocol)) == []


def test_an_object_of_a_library_names_what_it_imports() -> None:
    names = {name for name, _ in pickle_problems(pickle.dumps(pd.DataFrame({"a": [1]})))}
    assert "pandas.core.frame.DataFrame" in names or any(name.startswith("pandas.") for name in names)


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_get_an_answer(data) -> None:
    pickle_problems(b"\x80\x04" + data)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(pickletools.opcodes), max_size=60), st.binary(min_size=1, max_size=8))
def test_any_order_of_opcodes_gets_an_answer(opcodes, argument) -> None:
    pickle_problems(b"".join(opcode.code.encode("latin-1") + argument for opcode in opcodes))
