"""The one error an executor raises about a plugin, and where in the plugin an exception came from."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path

from engine.executors.rows_named import name_rows


class StepError(Exception):
    """A step of the plugin failed or broke the contract; the message says what, where and the next step.

    ``step`` is the step's name, ``rows`` the rows concerned (0-based, in the dataset as the steps receive it),
    ``document_ids`` their ``document_id`` in the same order (empty where the dataset has none), ``column`` the
    column concerned or None. Where the plugin itself raised, that exception is ``__cause__``.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str,
        rows: Sequence[int] = (),
        document_ids: Sequence[str | None] = (),
        column: str | None = None,
    ) -> None:
        """Keep the facts beside the message, for reports that show them apart."""
        super().__init__(message)
        self.step = step
        self.rows = tuple(rows)
        self.document_ids = tuple(document_ids)
        self.column = column


def step_raised(step: str, error: Exception, rows: Sequence[int], document_ids: Sequence[str | None]) -> StepError:
    """Describe an exception that the smallest failing ``rows`` make ``step`` raise; the caller chains it."""
    together = (
        "" if len(rows) == 1 else " Neither half of these rows fails alone: the fault lies in their combination."
    )
    return StepError(
        f"Step {step} raised {summary(error)}{location(error)} on {name_rows(rows, document_ids)}.{together} "
        "Make the processor handle such a row.",
        step=step,
        rows=rows,
        document_ids=document_ids,
    )


def summary(error: BaseException) -> str:
    """Return ``ValueError: message`` on one line, at most 300 characters."""
    text = " ".join(str(error).split())
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def location(error: BaseException) -> str:
    """Return `` (processors/core.py:31)``: the innermost frame outside installed packages, or nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        path = Path(frame.filename)
        if _ENGINE in path.parents or {"site-packages", "dist-packages"} & set(path.parts) or not path.is_file():
            continue
        return f" ({'/'.join(path.parts[-2:])}:{frame.lineno})"
    return ""


_ENGINE = Path(__file__).resolve().parents[1]
