"""``python killed_worker.py SETTINGS KILLS``: verifies what waits and kills itself, as a power cut would.

``SETTINGS`` is JSON for ``RegistrySettings``; ``KILLS`` is ``before:STATE`` (the step is done, nothing is kept
yet) or ``after:STATE`` (kept just now).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from registry.assembly import open_registry
from registry.releases.states import State, following
from registry.releases.steps import Verifier
from registry.releases.worker import Bench, Worker
from registry.settings import RegistrySettings


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    settings = json.loads(sys.argv[1])
    when, _, name = sys.argv[2].partition(":")
    with open_registry(RegistrySettings(**{**settings, "data": Path(settings["data"])})) as registry:

        class Mortal(Verifier):
            def run(self, state, work):
                found = super().run(state, work)
                if when == "before" and following(state).value == name:
                    die()
                return found

        verifier = Mortal(registry.storage, registry.settings.limits)
        bench = Bench(registry.database, verifier, registry.settings.limits, registry.settings.data / "scratch")

        def watch(_upload: str, state: State) -> None:
            if when == "after" and state.value == name:
                die()

        worker = Worker(bench, watch)
        worker.work_off()


if __name__ == "__main__":
    main()
