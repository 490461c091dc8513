"""Runs workers over the Python files of a tree; a worker that dies costs one file and is replaced."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from toolchain.core.process import own_program, spawn
from toolchain.scan.model import Limits

_ONE_WORKER_FILES = 24


@dataclass(frozen=True)
class Sources:
    """The Python files of a tree, the names under which its own package may be imported, and how many workers.

    ``program`` is the module whose ``main`` judges them.
    """

    files: dict[str, bytes]
    roots: tuple[str, ...]
    workers: int
    program: str = "toolchain.scan.worker"


def judge_sources(sources: Sources, limits: Limits) -> list[dict[str, Any]]:
    """One answer for each file: what it reaches, or why it could not be judged.

    All of it takes ``limits.total_seconds`` at most, however many workers are needed.
    """
    ends = time.monotonic() + limits.total_seconds
    names = sorted(sources.files)
    count = min(sources.workers or os.cpu_count() or 1, 2)
    if len(names) <= _ONE_WORKER_FILES:
        count = 1
    groups = _groups(names, sources.files, count)
    with ThreadPoolExecutor(max(len(groups), 1)) as threads:
        parts = threads.map(lambda group: list(_judge_group(group, sources, limits, ends)), groups)
        return [answer for part in parts for answer in part]


def _groups(names: list[str], files: dict[str, bytes], count: int) -> list[list[str]]:
    """Neighbours stay together: they import one another."""
    total = sum(len(files[name]) for name in names)
    groups: list[list[str]] = [[]]
    size = 0
    for name in names:
        if size > total / count * len(groups) and len(groups) < count:
            groups.append([])
        groups[-1].append(name)
        size += len(files[name])
    return [group for group in groups if group]


def _judge_group(group: list[str], sources: Sources, limits: Limits, ends: float) -> Iterator[dict[str, Any]]:
    rest = list(group)
    while rest:
        if time.monotonic() >= ends:
            yield from (_unjudged(name, "limit.total", "more time than one scan takes") for name in rest)
            return
        answers: dict[str, dict[str, Any]] = {}
        current: str | None = None
        for message in _worker(rest, sources, limits, ends):
            current = message.get("start")
            if current is None:
                answers[message["file"]] = message  # a second answer says at least what the first did
        yield from (answer for name, answer in answers.items() if name != current)
        rest = [name for name in rest if name not in answers or name == current]
        if rest:
            victim = current or rest[0]
            rest.remove(victim)
            died = "the scanner's worker died or ran out of time on this file"
            yield _unjudged(victim, "limit.crash", died) | {"reached": answers.get(victim, {}).get("reached", [])}


def _unjudged(name: str, rule: str, message: str) -> dict[str, Any]:
    return {"file": name, "reached": [], "problem": [rule, message, 1]}


def _worker(judge: list[str], sources: Sources, limits: Limits, ends: float) -> Iterator[dict[str, Any]]:
    request = {
        "memory": limits.worker_memory,
        "seconds": limits.file_seconds,
        "roots": sources.roots,
        "sizes": {name: len(data) for name, data in sources.files.items()},
        "judge": judge,
    }
    argv = own_program(sources.program)
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"}
    with spawn(argv, env=environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, request, sources.files), daemon=True)
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        deadline = threading.Timer(ends - time.monotonic(), process.kill)
        for thread in (feeder, drain, deadline):
            thread.start()
        try:
            for line in process.stdout:
                with suppress(ValueError):
                    yield json.loads(line)
        finally:
            deadline.cancel()


def _feed(stdin: Any, request: dict[str, Any], files: dict[str, bytes]) -> None:
    with suppress(OSError, ValueError):
        stdin.write(json.dumps(request).encode() + b"\n")
        for data in files.values():
            stdin.write(data)
        stdin.close()
