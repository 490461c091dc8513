"""What a process is here: who, with which powers, in which namespaces, with which descriptors."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sandbox.guest.probes.model import Probe

_USER = 65532  # as in images.layout, which lies outside
_PR_GET_SECCOMP, _PR_GET_NO_NEW_PRIVS, _PR_SET_MM, _PR_CAP_AMBIENT = 21, 39, 35, 47
_OWN = ("pipe:", "/dev/null", "/dev/pts/", "/proc/", "/memfd:", "memfd:", "anon_inode:[eventpoll]")


def status() -> dict[str, str]:
    """The kernel's word on this process (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _field(name: str, right: Callable[[str], bool]) -> Callable[[], None]:
    def attempt() -> None:
        value = status().get(name, "")
        assert right(value), f"{name} is {value!r}"

    return attempt


def _no_bits(value: str) -> bool:
    return value != "" and value.strip("0") == ""


def _prctl(option: int, *arguments: int) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    padded = [*arguments, 0, 0, 0, 0][:4]
    value = int(library.prctl(option, *map(ctypes.c_ulong, padded)))
    if value < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return value


def _is(option: int, wanted: int) -> Callable[[], None]:
    def attempt() -> None:
        assert (value := _prctl(option)) == wanted, value

    return attempt


def _ambient() -> None:
    _prctl(_PR_CAP_AMBIENT, 2, 21)  # raise CAP_SYS_ADMIN


def _own_users() -> None:
    said = status()
    ids = {*said["Uid"].split(), *said["Gid"].split(), *said["Groups"].split()}
    assert ids == {str(_USER)}, ids


def _alone() -> None:
    """The supervisor, the worker, this stage, this probe, and what listed them."""
    others = [name for name in os.listdir("/proc") if name.isdigit()]
    assert len(others) <= 8, f"{len(others)} processes"
    assert "python" in Path("/proc/1/comm").read_text()


def _environment() -> None:
    for name in os.environ:
        bad = any(word in name for word in ("TOKEN", "SECRET", "PASSWORD", "API_KEY", "CREDENTIAL"))
        assert not bad, name
        assert not name.startswith(("MIXPEEK", "DOCKER", "AWS_", "GOOGLE_", "SSH_", "KUBERNETES")), name


def _descriptors() -> None:
    """A stage has its pipes, its data, and one socket on which its interpreter tells process 1 what it does."""
    sockets = 0
    for entry in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed them
            target = os.readlink(f"/proc/self/fd/{entry}")
            sockets += target.startswith("socket:")
            assert target.startswith(("socket:", *_OWN)), f"{entry} is {target}"
    assert sockets <= 1, f"{sockets} sockets"


def _worker_memory() -> None:
    """Our parent is the stage, which is as we are; beside it process 1 has the worker, which hides its memory."""
    (worker,) = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {1, os.getppid(), os.getpid()}
    os.close(os.open(f"/proc/{worker}/mem", os.O_RDONLY))


def _supervisors_line() -> None:
    """Each descriptor of process 1 in turn; where one opens, what it hears and says can be forged."""
    refusals = []
    for number in range(3, 32):
        try:
            os.close(os.open(f"/proc/1/fd/{number}", os.O_WRONLY | os.O_NONBLOCK))
        except OSError as reason:
            refusals.append(reason)
        else:
            return
    raise next((one for one in refusals if one.errno != errno.ENOENT), refusals[0])


def _signal_first() -> None:
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGTERM):
        os.kill(1, number)
    assert Path("/proc/1/comm").exists()


def _lower_score() -> None:
    Path("/proc/self/oom_score_adj").write_text("-1000", encoding="ascii")


def _raise_limit(limit: int) -> Callable[[], str | None]:
    def attempt() -> str | None:
        hard = resource.getrlimit(limit)[1]
        assert hard != resource.RLIM_INFINITY, "there is no limit"
        try:
            resource.setrlimit(limit, (hard + 1, hard + 1))
        except ValueError:
            return "EPERM"  # what Python makes of it
        return None

    return attempt


def _others_limits() -> None:
    resource.prlimit(1, resource.RLIMIT_NOFILE, (16, 16))


def _no_core() -> None:
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), resource.getrlimit(resource.RLIMIT_CORE)


def _nice() -> None:
    os.nice(-5)


def _namespace_handle() -> None:
    os.close(os.open("/proc/1/ns/mnt", os.O_RDONLY))


def _own_filter() -> None:
    _prctl(_PR_SET_MM, 1, 0x10000)


PROCESS: tuple[Probe, ...] = (
    Probe("privileges.users", "privileges", "every user and group id", ("works",),
          "no user of the machine has this number", _own_users),
    *(Probe(f"privileges.{name.lower()}", "capabilities", f"{name} in /proc/self/status", ("works",),
            f"the {kind} capabilities: with none, root would be nobody", _field(name, _no_bits))
      for name, kind in (("CapEff", "effective"), ("CapPrm", "permitted"), ("CapInh", "inherited"),
                         ("CapBnd", "possible"))),
    Probe("privileges.ambient", "capabilities", "an ambient capability", ("EPERM",),
          "would pass through programs that start", _ambient),
    Probe("privileges.no-new", "no new privileges", "PR_GET_NO_NEW_PRIVS", ("works",),
          "set-id programs of an image give nothing", _is(_PR_GET_NO_NEW_PRIVS, 1)),
    Probe("privileges.filter", "seccomp", "PR_GET_SECCOMP", ("works",), "a filter is in force",
          _is(_PR_GET_SECCOMP, 2)),
    Probe("privileges.memory-layout", "privileges", "prctl(PR_SET_MM)", ("EPERM", "EINVAL"),
          "forges what /proc says of a process", _own_filter),
    Probe("process.alone", "namespaces", "which processes are in sight", ("works",),
          "a PID namespace of one's own: nobody else can be watched or signalled", _alone),
    Probe("process.namespace", "namespaces", "a handle on process 1's mounts", ("EACCES", "EPERM", "ENOENT"),
          "what setns would take", _namespace_handle),
    Probe("process.signals", "memory of others", "killing process 1", ("works",),
          "signals from inside do nothing to it: the call succeeds and it lives", _signal_first),
    Probe("process.line", "memory of others", "opening process 1's descriptors", ("EACCES", "EPERM"),
          "whoever writes to its line to the host reports in its place", _supervisors_line),
    Probe("process.worker", "memory of others", "reading the worker's memory", ("EACCES", "EPERM"),
          "the worker starts the next stage", _worker_memory),
    Probe("process.environment", "descriptors and environment", "names in the environment", ("works",),
          "nothing of the host's is passed on", _environment),
    Probe("process.descriptors", "descriptors and environment", "which descriptors are open", ("works",),
          "an inherited one is a door that no filter watches", _descriptors),
    Probe("process.oom-score", "limits of a process", "dying later than others when memory runs out",
          ("EACCES", "EPERM"), "the plugin has to go first", _lower_score),
    Probe("process.open-files", "limits of a process", "more open files than the hard limit", ("EPERM",),
          "hard limits must be hard", _raise_limit(resource.RLIMIT_NOFILE)),
    Probe("process.others-limits", "limits of a process", "limits of process 1", ("EPERM",),
          "the supervisor without descriptors could not report", _others_limits),
    Probe("process.core", "limits of a process", "core dumps", ("works",), "they hold memory, and fill disks",
          _no_core),
    Probe("process.nice", "limits of a process", "a better priority", ("EPERM", "EACCES"),
          "time that belongs to others", _nice),
)  # fmt: skip
