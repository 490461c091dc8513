"""The probes themselves, as they go into every base image: standard library only, until a probe says otherwise."""

from __future__ import annotations

from sandbox.guest.probes.calls import CALLS
from sandbox.guest.probes.files import FILES
from sandbox.guest.probes.limits import LIMITS, MEMORY
from sandbox.guest.probes.model import Probe
from sandbox.guest.probes.network import NETWORK
from sandbox.guest.probes.process import PROCESS
from sandbox.guest.probes.works import WORKS

PROBES: tuple[Probe, ...] = (*NETWORK, *CALLS, *FILES, *PROCESS, *LIMITS, *WORKS)
"""Every probe, in the order in which they are tried: what fills or exhausts something comes after the walls."""

EVERY: tuple[Probe, ...] = (*PROBES, MEMORY)
"""Those and the one that needs a stage of its own."""
