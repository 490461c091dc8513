"""Runs the probes: in a session like a plugin's, under the level's policy with limits small enough to reach."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Final

from sandbox.conversation import Job, Sample, Transcript
from sandbox.guest.probes import EVERY
from sandbox.guest.probes.limits import MEMORY
from sandbox.outcome import Ending, SandboxOutcome
from sandbox.policy import MEBIBYTE, Policy
from sandbox.probes.deviations import left_out
from sandbox.probes.judge import Judged, judge
from sandbox.session import Session
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import EngineRefused
from toolchain.core.image_layout import RUNTIME

_KILLED: Final = 128 + 9
_STAGES: Final = ("probes", "exhaustion")


@dataclass(frozen=True)
class ProbeRun:
    """All probes judged, under the policy that they were tried with; ``seconds`` is the container's life."""

    judged: tuple[Judged, ...]
    policy: Policy
    engine: str
    seconds: float

    @property
    def failed(self) -> tuple[Judged, ...]:
        """Those that came out otherwise than expected."""
        return tuple(one for one in self.judged if not one.holds)


def within_reach(policy: Policy) -> Policy:
    """``policy`` with its walls as they are and its limits small: full at once, exhausted at once."""
    return replace(
        policy,
        cpus=min(policy.cpus, 1.0),
        memory=(2048 if policy.runtime else 512) * MEBIBYTE,
        # gVisor's floor stays: below it no container starts.
        processes=policy.processes if policy.runtime else min(policy.processes, 64),
        open_files=256,
        scratch=16 * MEBIBYTE,
        scratch_inodes=1024,
        shared_memory=8 * MEBIBYTE,
    )


def run_probes(engine: ContainerEngine, image: str, policy: Policy, *, with_packages: bool = True) -> ProbeRun:
    """Try every probe in a container of ``image``, or without those that need packages, and judge.

    Raises ``EngineUnavailable``, and ``EngineRefused`` where the level cannot be had or the guest did not report.
    """
    tried = within_reach(policy)
    places = (policy.level, engine.kind)
    probes = tuple(probe for probe in EVERY if with_packages or probe.package is None)
    wanted = [probe.id for probe in probes if not left_out(probe, places)]
    data = Sample("probes", "json", json.dumps(wanted).encode())
    with Session(engine, image, tried) as session:
        outcome = session.run(Job("mixpeek_probes", RUNTIME, stages=_STAGES, sample=data))
    outcomes = {**_reported(outcome), MEMORY.id: _exhaustion(outcome)}
    judged = judge(probes, outcomes, tried, places)
    return ProbeRun(judged, tried, outcome.facts.engine, outcome.facts.seconds)


def _reported(outcome: SandboxOutcome) -> dict[str, str]:
    report = outcome.transcript.stages.get("probes")
    outcomes = (report.result or {}).get("outcomes") if report is not None else None
    if not isinstance(outcomes, dict):
        raise EngineRefused(
            f"the probes did not report: {_how_it_ended(outcome)}; {_last_words(outcome.transcript)}",
            remedy="try again when the machine is less busy; if that does not help, report this message",
        )
    return {str(name): str(word) for name, word in outcomes.items()}


def _how_it_ended(outcome: SandboxOutcome) -> str:
    """Of the probes' own stage where there is a word on it: the run can end well without it."""
    report = outcome.transcript.stages.get("probes")
    if report is None:
        return outcome.reason
    return f"their stage ended by '{report.ended}' with status {report.status} after {report.seconds:.1f} s"


def _exhaustion(outcome: SandboxOutcome) -> str:
    """How taking memory ended: by the engine's word, by the kernel's signal, or by the stage's own report."""
    report = outcome.transcript.stages.get("exhaustion")
    if outcome.facts.out_of_memory:
        return "out of memory"
    if report is None:
        # The kernel's kill of process 1 ends the container so; ours at the deadline does too, and says nothing.
        killed = outcome.facts.exit_code == _KILLED and not outcome.facts.timed_out
        return "SIGKILL" if killed and outcome.ending is Ending.DIED else outcome.reason
    if report.status == -9:
        return "SIGKILL"
    return str((report.result or {}).get("outcome", f"ended with status {report.status}"))


def _last_words(transcript: Transcript) -> str:
    printed = [report.output for report in transcript.stages.values()]
    lines = "\n".join([*printed, transcript.diagnostics]).strip().splitlines()
    return lines[-1][:300] if lines else "it printed nothing"
