"""The one error for a record or release that does not hold."""

from __future__ import annotations

from toolchain.core.errors import PluginFault


class RecordRefused(PluginFault):
    """A release cannot be trusted; ``rule`` names what failed. Rules are stable."""

    id = "verification-failed"

    def __init__(self, rule: str, message: str, *, where: str | None = None, remedy: str | None = None) -> None:
        """``where`` is the statement or file that failed."""
        usual = "do not use this release; ask its publisher for the archive and its record again"
        super().__init__(f"{message} [record.{rule}]", where=where, remedy=remedy or usual)
        self.rule = f"record.{rule}"
