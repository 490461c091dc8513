"""Judges: what is wrong with a call by its arguments, one for each kind of rule that says so.

A judge gives the note of a finding, or ``None`` where the call is harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from toolchain.scan.evaluate.judges.configuration import judge_configuration
from toolchain.scan.evaluate.judges.loading import judge_loading
from toolchain.scan.evaluate.judges.magics import judge_magic
from toolchain.scan.evaluate.judges.mapping import judge_mapping
from toolchain.scan.evaluate.judges.text import judge_text

JUDGES: dict[str, Callable[[Any, str, Any], str | None]] = {
    "load": judge_loading,
    "mmap": judge_mapping,
    "configuration": judge_configuration,
    "text": judge_text,
    "magic": judge_magic,
    "remote-code": lambda _it, _path, _request: None,
    "never": lambda _it, _path, _request: None,
    "called": lambda _it, _path, _request: "",
}
"""By what a rule of the policy names; ``never`` and ``remote-code`` are raised elsewhere."""
