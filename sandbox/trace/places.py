"""Which files are nobody's business but the interpreter's, and which ones no plugin has any business with."""

from __future__ import annotations

import re

from toolchain.core.image_layout import PYTHON

QUIET = (
    "/opt/mixpeek/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/local/lib/",
    "/usr/share/zoneinfo/",
    "/usr/share/locale/",
    "/usr/share/i18n/",
    "/lib/",
    "/lib64/",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/locale.alias",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/tmp/",  # noqa: S108 - inside the container
    "/var/run/nscd/",
    "/dev/null",
    "/dev/urandom",
    "/dev/random",
    "/dev/shm/",  # noqa: S108
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/filesystems",
    "/proc/mounts",
    "/proc/version",
    "/proc/sys/vm/",
    "/proc/sys/kernel/",
    "/proc/self/cgroup",
    "/proc/self/fd",
    "/proc/self/maps",
    "/proc/self/mountinfo",
    "/proc/self/stat",
    "/proc/self/task",
    "/sys/devices/system/",
    "/sys/fs/cgroup/",
    "/sys/kernel/mm/transparent_hugepage/",
)
"""Where the interpreter, its libraries and the plugin itself read all the time: not listed unless sensitive.
What begins with one of these is meant."""

PACKAGES = ("/opt/mixpeek/dependencies/", "/opt/mixpeek/pytest/")
"""Where packages lie, whose native libraries are told by the package."""

SYSTEM_LIBRARIES = ("/usr/", "/lib/", "/lib64/", "/opt/mixpeek/runtime/")
"""The image's own libraries, which are not told."""

_PROGRAM_FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")

_CREDENTIALS = (
    r"/\.(?:ssh|aws|azure|gnupg|kube|password-store|mozilla|electrum|bitcoin|ethereum)(?:/|$)",
    r"/\.config/(?:gcloud|google-chrome|chromium|gh)(?:/|$)",
    r"/\.docker/config\.json$",
    r"/\.(?:netrc|pypirc|git-credentials|npmrc|pgpass|vault-token)$",
    r"/id_(?:rsa|dsa|ecdsa|ed25519)(?:\.|$)",
    r"^/etc/(?:shadow|gshadow|sudoers)",
    r"^(?:/var)?/run/secrets(?:/|$)",
    r"/(?:docker|containerd|podman|crio)\.sock$",
    r"^/proc/(?:\d+|self|thread-self)/(?:environ|mem)$",
)
_PERSISTENCE = (
    r"/\.(?:bashrc|bash_profile|bash_login|profile|zshrc|zprofile|xinitrc|xprofile)$",
    r"/\.config/(?:autostart|systemd|fish)(?:/|$)",
    r"/(?:sitecustomize|usercustomize)\.py$",
    r"/(?:site|dist)-packages/[^/]*\.pth$",
    r"/\.ssh/authorized_keys2?$",
    r"^/etc/(?:cron|systemd|init\.d|rc\.local|profile|ld\.so\.preload|xdg/autostart|passwd|sudoers|bash)",
    r"^/var/spool/(?:cron|at)",
    r"^/(?:usr/)?lib/systemd(?:/|$)",
)
SENSITIVE = "|".join((*_CREDENTIALS, *_PERSISTENCE))
"""Files that are reported wherever they lie."""

_IS_CREDENTIAL = re.compile("|".join(_CREDENTIALS))
_IS_PERSISTENCE = re.compile("|".join(_PERSISTENCE))


def program(path: str) -> str:
    """A program of the image by its name, as a search along PATH finds it; any other by its whole path.

    A plugin may call a file of its own ``lscpu``, and hand it any list of arguments.
    """
    folder, _, name = path.rpartition("/")
    return name if not folder or folder in _PROGRAM_FOLDERS or path == PYTHON else path


def holds_credentials(path: str) -> bool:
    """Whether a file is one that keys, passwords or another process's secrets lie in."""
    return _IS_CREDENTIAL.search(path) is not None


def starts_programs(path: str) -> bool:
    """Whether what is written to a file would be run later, at a login, a start or a time of day."""
    return _IS_PERSISTENCE.search(path) is not None
