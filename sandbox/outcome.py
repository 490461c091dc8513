"""Tells how a job ended, from what the engine saw first and what the guest said second."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from sandbox.conversation import Transcript
from sandbox.protocol import NOT_EMPTIED_STATUS, STILL_RUNNING_STATUS

_KILLED = 128 + 9  # as engines write SIGKILL


class Ending(str, Enum):
    """How the container's life ended.

    ``COMPLETED``: every stage was reported and the supervisor left with 0; the stages themselves may have failed.
    The others are each the plugin's doing, except ``UNAVAILABLE``: it ended before plugin code could run, the
    engine lost it, or the kernel would not end a process of it. After ``SCRATCH`` no later stage ran: what one
    wrote could not be removed in time.
    """

    COMPLETED = "completed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    SCRATCH = "scratch-limit"
    VIOLATION = "policy-violation"
    DIED = "died"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class EngineFacts:
    """What the engine, not the guest, says of the container.

    ``exit_code`` is the supervisor's; ``out_of_memory`` whether the kernel ended a process of the container for
    want of memory; ``seconds`` the container's life as the host's clock saw it.
    """

    engine: str
    image_id: str
    exit_code: int | None
    out_of_memory: bool
    timed_out: bool
    seconds: float
    confinement: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The facts as they are recorded."""
        return {**vars(self), "seconds": round(self.seconds, 3)}


@dataclass(frozen=True)
class SandboxOutcome:
    """One job's end: its class, what was heard, what the engine observed, and why in words."""

    ending: Ending
    reason: str
    transcript: Transcript
    facts: EngineFacts


def classify(transcript: Transcript, facts: EngineFacts, violation: str | None) -> tuple[Ending, str]:
    """The ending and its reason in words.

    The order decides the ambiguous cases. What ended before its first stage ended without the plugin, so the
    image or the engine is at fault, unless memory ran out. A broken protocol comes next: whatever else happened,
    what was heard is worth nothing. The host's own deadline and the kernel's memory kill come before the exit
    status, which they cause. SIGKILL without either came from outside, for the kernel lets nobody inside send it
    to process 1 (pid_namespaces(7)); a supervisor that left early in any other way was ended by something inside.
    A memory kill that hit only one stage leaves a complete transcript; its report then shows signal 9.
    """
    if not transcript.started and not facts.out_of_memory:
        return Ending.UNAVAILABLE, before_the_plugin(facts.exit_code, transcript)
    if violation is not None:
        return Ending.VIOLATION, violation
    if facts.timed_out:
        return Ending.TIMEOUT, f"the container was still running after {facts.seconds:.0f} s and was killed"
    if (left := not_cleared(facts.exit_code, transcript)) is not None:
        return left
    if transcript.done and facts.exit_code == 0:
        return Ending.COMPLETED, "every stage was reported"
    return _left_early(transcript, facts)


def before_the_plugin(status: int | None, transcript: Transcript) -> str:
    """Words for a guest that ended before it came to run plugin code, with the last line of what it said."""
    tail = transcript.diagnostics.strip().splitlines()[-1:]
    said = f": {tail[0][:300]}" if tail else ""
    return f"the guest ended with status {status} before the plugin ran{said}"


def not_cleared(status: int | None, transcript: Transcript) -> tuple[Ending, str] | None:
    """The ending where process 1 left because it could not clear away what a stage left; else ``None``."""
    stage = transcript.started[-1] if transcript.started else "the start"
    if status == STILL_RUNNING_STATUS:
        return Ending.UNAVAILABLE, f"what {stage} left running could not be ended in time, so nothing ran after it"
    if status == NOT_EMPTIED_STATUS:
        folders = "/tmp and /dev/shm"  # noqa: S108 - names in a sentence
        return (
            Ending.SCRATCH,
            f"what {stage} left in {folders} could not be removed in time, so nothing ran after it",
        )
    return None


def _left_early(transcript: Transcript, facts: EngineFacts) -> tuple[Ending, str]:
    if facts.out_of_memory:
        return Ending.MEMORY, "the container ran out of memory and the kernel ended it"
    if facts.exit_code is None:
        return Ending.UNAVAILABLE, "the engine lost the container while it ran"
    if facts.exit_code == _KILLED:
        # gVisor delivers what the kernel does not, and does not tell who sent it.
        or_inside = (
            ", or the plugin, which this runtime lets" if facts.confinement.get("runtime") == "runsc" else ""
        )
        return Ending.UNAVAILABLE, f"somebody outside{or_inside} killed the container while it ran"
    stage = transcript.started[-1]
    return Ending.DIED, f"the guest ended with status {facts.exit_code} during {stage} without reporting"
