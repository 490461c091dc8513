"""The states of an upload, and which follows which."""

from __future__ import annotations

from enum import Enum


class State(str, Enum):
    """Where an upload stands.

    ``AWAITING``: a URL was given out. ``CONFIRMED``: the publisher says it is there. ``STORED``: the bytes are
    kept under their own digest and nobody else can write there. ``READ``: the archive was read to its end.
    ``SCANNED``: our own scan is done. ``PROVED``: the evidence was compared. Then ``PUBLISHED`` or ``REFUSED``.
    ``EXPIRED``: never confirmed in time.
    """

    AWAITING = "awaiting"
    CONFIRMED = "confirmed"
    STORED = "stored"
    READ = "read"
    SCANNED = "scanned"
    PROVED = "proved"
    PUBLISHED = "published"
    REFUSED = "refused"
    EXPIRED = "expired"


WORKING = (State.CONFIRMED, State.STORED, State.READ, State.SCANNED, State.PROVED)
"""The states in which something is left to do, in their order."""

ENDED = (State.PUBLISHED, State.REFUSED, State.EXPIRED)


def following(state: State) -> State:
    """The state after a step that went well."""
    return (*WORKING, State.PUBLISHED)[WORKING.index(state) + 1]
