"""A report is read as a stranger's: size, form, and what could steer a terminal."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sandbox.gpu.report import NotAReport, read_report

SOUND: dict[str, Any] = {
    "driver": {
        "loaded": True,
        "error": None,
        "version": 12040,
        "devices": 1,
        "capability": [8, 9],
        "kernel": {"right": True, "error": None},
    },
    "libraries": {"cudart": {"file": "libcudart.so.12", "error": None, "version": 12090, "devices": 0}},
    "compiler": {"version": [12, 9], "error": None, "kernel": {"right": True, "error": None}},
}


def test_a_sound_report() -> None:
    report = read_report("a warning of some library\n" + json.dumps(SOUND) + "\n")
    assert report.driver.version == (12, 4)
    assert report.libraries[0].version == (12, 9)
    assert report.compiler is not None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("driver",), None),
        (("driver", "loaded"), 1),
        (("driver", "version"), "12040"),
        (("driver", "devices"), True),
        (("driver", "capability"), [8]),
        (("driver", "capability"), ["8", "9"]),
        (("driver", "kernel"), {"right": "yes", "error": None}),
        (("driver", "error"), {"call": "cuInit"}),
        (("libraries",), []),
        (("libraries", "cudart", "file"), 5),
        (("compiler", "version"), None),
        (("compiler",), []),
    ],
)
def test_anything_else_is_none(place: tuple[str, ...], value: Any) -> None:
    document = copy.deepcopy(SOUND)
    target: Any = document
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    with pytest.raises(NotAReport, match="malformed"):
        read_report(json.dumps(document))


@pytest.mark.parametrize("missing", ["driver", "libraries"])
def test_a_half_is_missing(missing: str) -> None:
    with pytest.raises(NotAReport):
        read_report(json.dumps({key: value for key, value in SOUND.items() if key != missing}))


@pytest.mark.parametrize("output", ["", "Traceback …", "{broken", "[1]", "{" + "[" * 5000, "x" * 70_000])
def test_no_report(output: str) -> None:
    with pytest.raises(NotAReport):
        read_report(output)


def test_text_is_short_and_printable() -> None:
    document = copy.deepcopy(SOUND)
    document["libraries"]["cudart"]["error"] = "\x1b]0;owned\x07" + "x" * 5000
    error = read_report(json.dumps(document)).libraries[0].error
    assert error is not None
    assert len(error) == 300
    assert error.isprintable()
