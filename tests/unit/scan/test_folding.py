"""What folding does with a computation that it cannot finish."""

from __future__ import annotations

import pytest

from toolchain.scan.child import TooSlow
from toolchain.scan.evaluate.folding import fold
from toolchain.scan.evaluate.pure import TooMuch, is_process_path
from toolchain.scan.evaluate.values import UNKNOWN, Const, Union, join


@pytest.mark.parametrize("reason", [TooMuch, MemoryError, RecursionError])
def test_an_alternative_that_is_too_much_for_a_scan_stays_possible(reason):
    def heavy(number):
        if number:
            raise reason
        return "harmless"

    found = fold(heavy, join([Const(0), Const(1)]))
    assert isinstance(found, Union)
    assert UNKNOWN in found.options


def test_an_alternative_that_would_raise_gives_no_value():
    assert fold(lambda number: 1 // number, join([Const(0), Const(1)])) == Const(1)


def test_the_clock_is_not_taken_for_an_error_of_the_computation():
    def slow():
        raise TooSlow

    with pytest.raises(TooSlow):
        fold(slow)


@pytest.mark.parametrize("text", ["/proc", "/proc/", "/proc/self"])
def test_a_path_of_a_process_is_told(text):
    assert is_process_path(Const(text))


@pytest.mark.parametrize("text", ["/processed", "/processed/a", "/procedures/b", "proc/self", b"/proc/self"])
def test_a_folder_whose_name_only_begins_so_is_none(text):
    assert not is_process_path(Const(text))
