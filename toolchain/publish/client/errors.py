"""What an API can answer beside success, each with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from toolchain.core.errors import ExitCode, MixpeekError
from toolchain.publish.client.refusals import Reason

NEXT_VERSION: Final = "mend what the reason names, raise the version and publish again"
"""What to do about a release that will never be deployed."""


class ServerRefused(MixpeekError):
    """The server answered and said no. ``status`` is HTTP's, ``reasons`` what it gave."""

    id = "server-refused"

    def __init__(
        self, message: str, *, where: str, remedy: str, status: int = 0, reasons: Sequence[Reason] = ()
    ) -> None:
        lines = [f"\n  {reason}" for reason in reasons]
        super().__init__(message + "".join(lines), where=where, remedy=remedy)
        self.status = status
        self.reasons = tuple(reasons)


class KeyRefused(ServerRefused):
    """The API key is missing, wrong, or may not do this."""

    id = "key-refused"
    exit_code = ExitCode.USAGE


class NotThere(ServerRefused):
    """What was named does not exist."""

    id = "not-found"
    exit_code = ExitCode.USAGE


class AlreadyThere(ServerRefused):
    """This version was published before, with other content."""

    id = "version-exists"
    exit_code = ExitCode.PLUGIN_AT_FAULT


class DeploymentRefused(ServerRefused):
    """The server does not deploy this plugin: a reviewer stopped it, say."""

    id = "deployment-refused"
    exit_code = ExitCode.PLUGIN_AT_FAULT


class PluginRefused(ServerRefused):
    """The server judged the plugin and refused it."""

    id = "plugin-refused"
    exit_code = ExitCode.PLUGIN_AT_FAULT


class QuotaReached(ServerRefused):
    """The namespace may not have more plugins."""

    id = "quota-reached"


class ServerUnavailable(MixpeekError):
    """The server cannot be reached, or broke off, after every attempt that was safe to make."""

    id = "server-unavailable"


class AnswerMalformed(MixpeekError):
    """The server's answer is not what the API's documentation says."""

    id = "answer-malformed"


class UploadFailed(MixpeekError):
    """The archive could not be stored under the URL that the server gave."""

    id = "upload-failed"


class UploadExpired(UploadFailed):
    """The upload URL is no longer valid: a new one must be asked for."""

    id = "upload-expired"
