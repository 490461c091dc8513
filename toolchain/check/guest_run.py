"""What came out of a guest, wherever it ran."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.conversation import Transcript
from sandbox.outcome import Ending, EngineFacts


@dataclass(frozen=True)
class GuestRun:
    """A finished conversation with a guest.

    ``facts`` are the engine's, ``None`` for a plain process, of which no engine saw anything. ``place`` says where
    it ran, ``image`` what the image holds (empty for a process), ``limits`` names the limits in words. ``watch``
    is the policy's; ``kernel_watched`` whether the kernel reported what the plugin tried.
    """

    place: str
    transcript: Transcript
    ending: Ending
    reason: str
    limits: str
    facts: EngineFacts | None = None
    image: dict[str, Any] = field(default_factory=dict)
    watch: str = "nothing"
    kernel_watched: bool = False

    @property
    def out_of_memory(self) -> bool:
        """Whether the engine saw the kernel end a process for want of memory."""
        return self.facts is not None and self.facts.out_of_memory
