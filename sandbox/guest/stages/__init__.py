"""The stages of a job, each run in a process of its own that shares its interpreter with the plugin.

Whatever a stage reports is therefore the plugin's claim; the host marks it so and recomputes what it can.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from sandbox.protocol import Message, encode_head


@dataclass(frozen=True)
class StageContext:
    """What a stage works with.

    ``name`` and ``root`` are the plugin's package name and folder; ``sample`` describes the sample file behind the
    descriptor ``sample_fd`` (``None`` without one); ``seed`` makes unpredictable names; ``send`` gives the host a
    message, ``emit`` progress. ``batches`` are the options of that stage and ``batch_fds`` its socket, and the two
    shared files of slots of ``slot_bytes`` where there are any.
    """

    name: str
    root: Path
    pytest_folders: list[str]
    sample: dict[str, Any] | None
    sample_fd: int
    seed: str
    send: Callable[[Message], None]
    batches: dict[str, Any] = field(default_factory=dict)
    batch_fds: tuple[int, ...] = ()
    slot_bytes: int = 0

    def emit(self, at: str) -> None:
        """Say what the stage is doing."""
        self.send(Message("progress", {"at": at}))


def run(request: dict[str, Any], results: int, handed: Sequence[int]) -> int:
    """Run the requested stage and send its result; the exit status to leave with."""
    from sandbox.guest.stages.loading import PluginFinder

    plugin = request["plugin"]
    root = Path(plugin["root"])
    os.chdir(root)
    # Before PathFinder: a package of the same name somewhere else must not win over the plugin under test.
    sys.meta_path.insert(0, PluginFinder(plugin["name"], root))
    context = StageContext(
        name=plugin["name"],
        root=root,
        pytest_folders=request["pytest"],
        sample=request["sample"],
        sample_fd=handed[0],
        seed=request["seed"],
        send=lambda message: _send(results, request["token"], message),
        batches=request.get("batches", {}),
        batch_fds=tuple(handed[1:]),
        slot_bytes=request.get("slot_bytes", 0),
    )
    stage = import_module(f"sandbox.guest.stages.{request['stage']}")
    body, blob = stage.run(context)
    context.send(Message("result", body, blob))
    return 0


def _send(descriptor: int, token: str, message: Message) -> None:
    head = encode_head(Message(message.type, {**message.body, "token": token}, message.blob))
    for part in (head, message.blob):
        data = memoryview(part)
        while data:
            data = data[os.write(descriptor, data) :]
