"""The one error root.

An error says what happened, where, and the next step; its class carries a stable id for ``--json`` and one
exit code. It is raised anywhere and caught once, in ``toolchain.cli.main``. A bug is not a ``MixpeekError``
and keeps its traceback.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller. ``COULD_NOT_TELL`` never reads as passed."""

    PASSED = 0
    PLUGIN_AT_FAULT = 1
    USAGE = 2
    COULD_NOT_TELL = 3


class MixpeekError(Exception):
    """Root of every error that a user is meant to read.

    ``message`` is one sentence on what happened, ``where`` a path, option or address, ``remedy`` the next step.
    """

    id: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.COULD_NOT_TELL

    def __init__(self, message: str, *, where: str | None = None, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}\n  next step: {self.remedy}"


class UsageFault(MixpeekError):
    """The call itself is wrong: an option's value, a path, a name."""

    id = "usage"
    exit_code = ExitCode.USAGE


class SettingsFault(UsageFault):
    """A configuration file or environment variable holds something we do not know."""

    id = "settings"


class PluginFault(MixpeekError):
    """The plugin must change before the work can go on."""

    id = "plugin"
    exit_code = ExitCode.PLUGIN_AT_FAULT


class ProjectSettingsFault(PluginFault):
    """The plugin's own ``[tool.mixpeek]`` holds what we do not know, or what a plugin may not decide."""

    id = "project-settings"


class DependencyFault(PluginFault):
    """The plugin's requirements are refused or cannot be resolved."""

    id = "dependencies"


class EngineUnavailable(MixpeekError):
    """No container engine answers, or it stopped answering during the work."""

    id = "engine-unavailable"


class EngineRefused(MixpeekError):
    """The container engine answers but refuses what we asked of it."""

    id = "engine-refused"


class EngineDiskFull(EngineRefused):
    """The engine's own disk is full: no other way of giving it the same bytes helps."""

    id = "engine-disk-full"


class RegistryUnreachable(EngineRefused):
    """The engine could not reach a registry; one that answers with a refusal was reached."""

    id = "registry-unreachable"


class NetworkUnavailable(MixpeekError):
    """A package or image registry could not be reached, or broke off."""

    id = "network-unavailable"


class ImageUnavailable(MixpeekError):
    """An image could neither be found, pulled nor made."""

    id = "image-unavailable"


class DownloadCorrupt(MixpeekError):
    """Bytes came, but not those the lock promised."""

    id = "download-corrupt"


class ProcessFailed(MixpeekError):
    """A helper program failed, was missing or outlasted its deadline."""

    id = "process-failed"


class ProtocolViolation(MixpeekError):
    """A guest sent something that our protocol does not allow: treated as the plugin's doing."""

    id = "protocol-violation"
    exit_code = ExitCode.PLUGIN_AT_FAULT


class InternalFault(MixpeekError):
    """A bug of ours: it says nothing about the plugin, and its traceback stands above the message."""

    id = "internal"


class Interrupted(MixpeekError):
    """The user pressed Ctrl-C or the process was asked to end; everything started has been cleaned up."""

    id = "interrupted"
