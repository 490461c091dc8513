import click
import pytest

from toolchain.cli.sizes import MEMORY


@pytest.mark.parametrize(
    ("text", "size"),
    [("64m", 64 << 20), ("2g", 2 << 30), ("1.5GiB", 3 << 29), ("512MB", 512 << 20), ("134217728", 1 << 27)],
)
def test_sizes_in_bytes(text, size):
    assert MEMORY.convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "big", "-1g", "10m", "1x", "0"])
def test_what_is_no_size_or_too_small_is_refused(text):
    with pytest.raises(click.BadParameter):
        MEMORY.convert(text, None, None)
