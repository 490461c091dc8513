"""Starts a session in a thread of its own while its caller is still busy with the stages before it.

Creating and starting a container takes an engine 0.2 s, and the guest's imports as long again and more: time in
which the plugin's sources can be scanned and the host's own imports done.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING

from sandbox.session import Session

if TYPE_CHECKING:
    from typing_extensions import Self


class Prestart:
    """A session on its way, for exactly one job of one plugin like any other.

    Use as a context manager: entering returns at once, leaving waits for the start to end and removes the
    container, on every path and whether or not the session was taken. Until ``session`` has returned, the engine's
    client belongs to the thread that starts it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._start, name="start the sandbox")
        self._entered = False

    def __enter__(self) -> Self:
        """Begin."""
        try:
            self._thread.start()
        except BaseException:  # an interruption that finds the thread already under way
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the container; one that could not be started has removed itself."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._entered:
            self._session.__exit__(kind, failure, trace)

    def session(self) -> Session:
        """The started session. Raises what starting it raised: ``EngineUnavailable`` or ``EngineRefused``."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._session

    def _start(self) -> None:
        try:
            self._session.__enter__()
            self._entered = True
        except BaseException as failure:  # noqa: BLE001 - raised in the thread that asks for the session
            self._failure = failure
