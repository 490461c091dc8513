"""Models and arrays: what a loader would run. Nothing is loaded; headers are read, pickles are walked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from toolchain.scan.contents import Entry, Problem, line_number
from toolchain.scan.inspect.onnx import onnx_problems
from toolchain.scan.pickles import pickle_problems

_LAMBDA = re.compile(rb'"class_name"\s{0,64}:\s{0,64}"(?:Lambda|TFOpLambda|SlicingOpLambda)"')
_OBJECTS = re.compile(rb"['\"]descr['\"]\s{0,16}:.{0,4000}?\|?O[0-9]?['\"]", re.DOTALL)
_HEADER = 1 << 16


def model_problems(entry: Entry, kind: str) -> Iterator[Problem]:
    """Problems of one model, array or pickle by its kind."""
    if kind == "pickle":
        yield from _pickle(entry, entry.data)
    elif kind == "numpy" and _OBJECTS.search(entry.data[:_HEADER]):
        start = entry.data.find(b"\n", 0, _HEADER) + 1
        yield from _pickle(entry, entry.data[start:])
    elif kind == "safetensors" and (fault := _safetensors_fault(entry.data)):
        yield Problem("model.header", f"a safetensors header that does not hold: {fault}", entry.name)
    elif kind == "onnx":
        yield from onnx_problems(entry)
    elif kind in {"json", "hdf5"} and (found := _LAMBDA.search(entry.data)):
        line = line_number(entry.data, found.start()) if kind == "json" else 1
        yield Problem("model.lambda-layer", "a Keras layer that holds code", entry.name, line)


def _pickle(entry: Entry, data: bytes) -> Iterator[Problem]:
    for name, message in pickle_problems(data):
        rule = "data.pickle-import" if "." in name else "data.pickle-unread"
        yield Problem(rule, message, entry.name, 1, name)


def _safetensors_fault(data: bytes) -> str | None:
    """What is wrong with the table of tensors; they must lie inside of the data without overlapping."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    spans: list[tuple[int, int]] = []
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
        if not (isinstance(offsets, list) and len(offsets) == 2 and all(isinstance(at, int) for at in offsets)):
            return "a tensor without offsets"
        spans.append((offsets[0], offsets[1]))
    if any(not 0 <= start <= end <= len(data) - 8 - size for start, end in spans):
        return "a tensor outside of the file"
    spans.sort()
    return "tensors that overlap" if any(first[1] > second[0] for first, second in pairwise(spans)) else None
