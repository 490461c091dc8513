"""A description by an engine is a base of ours whole, or none."""

import pytest

from images.base.model import LABEL_SIZES, from_inspection
from images.layout import (
    LABEL_GLIBC,
    LABEL_ORIGIN,
    LABEL_PYTHON,
    LABEL_RECIPE,
    LABEL_SOURCE,
    LABEL_SOURCE_ID,
)

LABELS = {
    LABEL_SIZES: "10,20",
    LABEL_ORIGIN: "packages",
    LABEL_SOURCE: "debian",
    LABEL_SOURCE_ID: "sha256:33",
    LABEL_RECIPE: "r",
    LABEL_PYTHON: "3.11.2",
    LABEL_GLIBC: "2.36",
}


def found(labels):
    layers = ["sha256:aa", "sha256:bb"]
    return {
        "Id": "sha256:11",
        "Architecture": "amd64",
        "Config": {"Labels": labels},
        "RootFS": {"Layers": layers},
    }


def test_a_base_of_ours_is_read():
    base = from_inspection("b:1", found(LABELS))
    assert (base.source_id, base.target.python, [layer.size for layer in base.config.layers]) == (
        "sha256:33",
        "3.11.2",
        [10, 20],
    )


@pytest.mark.parametrize("missing", LABELS)
def test_partial_labels_are_no_base(missing):
    assert from_inspection("b:1", found({key: value for key, value in LABELS.items() if key != missing})) is None


@pytest.mark.parametrize("sizes", ["10,x", "10,", "10,-1"])
def test_sizes_that_are_no_numbers_are_no_base(sizes):
    assert from_inspection("b:1", found({**LABELS, LABEL_SIZES: sizes})) is None
