"""Did each stage come to its end? What the supervisor saw, told as findings."""

from __future__ import annotations

import signal

from sandbox.conversation import StageReport
from sandbox.outcome import Ending
from toolchain.check.untrusted import one_line
from toolchain.core.findings import Finding, Severity, error

_RULE = "run"
# The guest leaves with it when our own part of a stage cannot go on (EX_SOFTWARE); a plugin may use it too.
_OUR_STATUS = 70


def check_ending(ending: Ending, reason: str) -> list[Finding]:
    """Findings about the end of the guest as a whole."""
    remedies = {
        Ending.TIMEOUT: "make the plugin faster, or raise the limit with --timeout",
        Ending.MEMORY: "use less memory (smaller batches, smaller model), or raise the limit with --memory",
        Ending.SCRATCH: "write fewer files, and remove them when they are not needed any more",
        Ending.VIOLATION: "remove the code that interferes with the process that tests the plugin",
        Ending.DIED: "remove the code that ends or attacks other processes",
    }
    if ending is Ending.COMPLETED:
        return []
    if ending is Ending.UNAVAILABLE:
        remedy = "check the engine with `mixpeek doctor`, then run the same command again"
        return [Finding(Severity.UNKNOWN, f"{_RULE}.unavailable", reason, remedy)]
    return [error(f"{_RULE}.{ending.value}", reason, remedies[ending])]


def check_stage(  # noqa: PLR0911 - one return for each way in which a stage may end
    report: StageReport, *, out_of_memory: bool, limits: str
) -> list[Finding]:
    """Findings about the end of one stage.

    ``out_of_memory`` is what the engine says of the container, ``limits`` names the stage's limits in words.
    """
    at = f" (last seen: {one_line(report.progress)})" if report.progress else ""
    if report.violation is not None:
        message = f"{report.stage}: the plugin wrote to the channel of results: {one_line(report.violation)}"
        return [error(f"{_RULE}.policy-violation", message, "remove the code that forges results")]
    if report.ended == "not-started":
        message = f"{report.stage} could not begin: importing the plugin's packages took more than a minute"
        remedy = "try again on a quieter machine; if it happens every time, a dependency hangs on import"
        return [Finding(Severity.UNKNOWN, f"{_RULE}.not-started", message, remedy)]
    if report.ended == "deadline":
        message = f"{report.stage} did not finish within its deadline and was killed{at}"
        return [error(f"{_RULE}.timeout", message, f"find what hangs there; {limits}")]
    if report.ended == "output-limit":
        message = f"{report.stage} printed more than {report.output_bytes >> 20} MiB and was killed{at}"
        return [error(f"{_RULE}.output-limit", message, "print less; large data belongs into files or columns")]
    if report.ended != "exited":
        return [_lost(report, at, out_of_memory=out_of_memory)]
    if report.status != 0 or report.result is None:
        return [_left(report, at, out_of_memory=out_of_memory)]
    return []


def _lost(report: StageReport, at: str, *, out_of_memory: bool) -> Finding:
    if out_of_memory:
        return _memory(report, at)
    message = f"{report.stage}: the process that runs the stages was killed from inside{at}"
    return error(f"{_RULE}.died", message, "remove the code that ends or attacks other processes")


def _left(report: StageReport, at: str, *, out_of_memory: bool) -> Finding:
    """A stage that did not end by itself with status 0, whatever it may have reported before."""
    status = report.status if report.status is not None else 0
    if status == -signal.SIGKILL and out_of_memory:
        return _memory(report, at)
    if status == -signal.SIGSYS:
        message = f"{report.stage} made a system call by a convention that is not this machine's own{at}"
        return error(f"{_RULE}.policy-violation", message, "remove the 32-bit or x32 code")
    if status < 0:
        message = f"{report.stage} was ended by {_signal_name(-status)}{at}"
        remedy = "a native library crashed, or the code signals itself; run again with --verbose for its output"
        return error(f"{_RULE}.signal", message, remedy)
    when = "before reporting" if report.result is None else "after reporting"
    message = f"{report.stage} ended the interpreter with status {status} {when}{at}"
    if status == _OUR_STATUS:
        said = (report.output.strip().splitlines() or ["nothing"])[-1][:300]
        remedy = "if the plugin does not use this status itself, report it; --verbose shows the whole output"
        return error(f"{_RULE}.exited", f"{message}; it said at last: {said}", remedy)
    return error(f"{_RULE}.exited", message, "remove calls that end the process, such as os._exit")


def _memory(report: StageReport, at: str) -> Finding:
    message = f"{report.stage} ran out of memory and was killed by the kernel{at}"
    remedy = "use less memory (smaller batches, smaller model), or raise the limit with --memory"
    return error(f"{_RULE}.memory", message, remedy)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
