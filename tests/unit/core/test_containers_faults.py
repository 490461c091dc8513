"""What the SDK and its transports raise, told apart: gone, silent, refused, not ours."""

from __future__ import annotations

import docker.errors
import pytest
import requests
import urllib3.exceptions

from toolchain.core.containers.faults import engine_errors, engine_refusal, engine_words, pull_refusal
from toolchain.core.errors import (
    EngineDiskFull,
    EngineRefused,
    EngineUnavailable,
    ExitCode,
    RegistryUnreachable,
    UsageFault,
)


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


def test_a_full_disk_has_its_own_error_whoever_says_so() -> None:
    fault = raised(api_error(500, "write /var/lib: no space left on device"))
    assert isinstance(fault, EngineDiskFull)
    assert "docker system df" in fault.remedy


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Get https://registry.test/v2/: dial tcp: lookup registry.test: no such host", RegistryUnreachable),
        ("pull access denied for x", EngineRefused),
        ("dial tcp: write: no space left on device", EngineDiskFull),
    ],
)
def test_a_registry_that_was_not_reached_is_told_from_one_that_refused(
    words: str, kind: type[EngineRefused]
) -> None:
    assert type(pull_refusal(engine_refusal("pull an image", words))) is kind


@pytest.mark.parametrize(
    "reason", [ValueError("a bug"), FileNotFoundError(2, "ours"), UsageFault("x", remedy="y")]
)
def test_what_is_not_the_engine_s_passes_through(reason: Exception) -> None:
    assert raised(reason) is reason
