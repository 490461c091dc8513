"""Sizes in words."""

import pytest

from toolchain.core.sizes import shown_bytes


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (4_321, "4.3 kB"),
        (999_999, "1.0 MB"),
        (113_171_400, "113.2 MB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_sizes_are_told_in_the_unit_that_fits(size, words):
    assert shown_bytes(size) == words
