"""What the SDK and its transports raise, told apart: gone, silent, refused, not ours."""

from __future__ import annotations

import docker.errors
import pytest
import requests
import urllib3.exceptions

from toolchain.core.containers.faults import engine_errors, engine_words
from toolchain.core.errors import EngineRefused, EngineUnavailable, ExitCode, UsageFault


def api_error(status: int, explanation: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    return docker.errors.APIError("500 Server Error for http+docker://localhost", response, explanation)


def raised(reason: Exception) -> Exception:
    with pytest.raises(Exception) as caught, engine_errors("start the container"):  # noqa: PT011
        raise reason
    return caught.value


REFUSED = ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (
            requests.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", REFUSED)),
            "connection refused",
        ),
        (
            requests.ConnectionError(
                urllib3.exceptions.ProtocolError(
                    "Connection aborted.", FileNotFoundError(2, "No such file or directory")
                )
            ),
            "no such file",
        ),
        (requests.exceptions.ChunkedEncodingError("IncompleteRead"), "IncompleteRead"),
        (urllib3.exceptions.ProtocolError("Connection broken"), "Connection broken"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset"),
        (BrokenPipeError(32, "Broken pipe"), "broken pipe"),
        (requests.ReadTimeout("read timed out"), "in time"),
        (TimeoutError(), "in time"),
        (api_error(500, "connection error: desc = transport: dial unix containerd.sock"), "back end died"),
    ],
)
def test_an_engine_that_is_gone(reason: Exception, words: str) -> None:
    fault = raised(reason)
    assert isinstance(fault, EngineUnavailable)
    assert words in fault.message
    assert fault.message.startswith("could not start the container: ")
    assert "mixpeek doctor" in fault.remedy
    assert fault.__cause__ is reason


def test_the_sdk_s_wrapped_first_request_is_an_engine_that_is_gone() -> None:
    wrapped = docker.errors.DockerException("Error while fetching server API version")
    wrapped.__context__ = requests.ConnectionError(
        urllib3.exceptions.ProtocolError("Connection aborted.", REFUSED)
    )
    fault = raised(wrapped)
    assert isinstance(fault, EngineUnavailable)
    assert "connection refused" in fault.message


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (api_error(400, "invalid seccomp profile"), "invalid seccomp profile"),
        (api_error(500, "no space left on device"), "no space left on device"),
        (docker.errors.InvalidVersion("API versions below 1.21 are not supported"), "1.21"),
    ],
)
def test_an_engine_that_refuses_is_quoted(reason: Exception, words: str) -> None:
    fault = raised(reason)
    assert isinstance(fault, EngineRefused)
    assert words in fault.message
    assert "http+docker" not in fault.message
    assert engine_words(fault) == str(getattr(reason, "explanation", reason))
    assert fault.exit_code is ExitCode.COULD_NOT_TELL


@pytest.mark.parametrize(
    "reason", [ValueError("a bug"), FileNotFoundError(2, "ours"), UsageFault("x", remedy="y")]
)
def test_what_is_not_the_engine_s_passes_through(reason: Exception) -> None:
    assert raised(reason) is reason
