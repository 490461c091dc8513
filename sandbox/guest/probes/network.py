"""No way to anybody: every family of sockets, every address that hosts answer on, every socket of an engine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from sandbox.guest.numbers import NUMBERS
from sandbox.guest.probes.model import Probe, machine, raw

_SOL_SOCKET, _SO_DOMAIN = 1, 39
STAND_IN = "a stand-in"
_STREAM, _DATAGRAM, _RAW = 1, 2, 3
_METADATA = "169.254.169.254"
# Devices without an address that the modules of tunnels put into every new namespace.
_FALLBACK_TUNNELS = {"tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}

# name: (family, type, protocol, what it reaches), numbers as in Linux's include/linux/socket.h
_FAMILIES = {
    "inet": (2, _STREAM, 0, "the internet by TCP"),
    "inet-datagram": (2, _DATAGRAM, 0, "name servers and all else by UDP"),
    "inet-raw": (2, _RAW, 1, "forged packets and ping"),
    "inet6": (10, _STREAM, 0, "the internet by TCP over IPv6"),
    "inet6-datagram": (10, _DATAGRAM, 0, "name servers by UDP over IPv6"),
    "netlink-route": (16, _RAW, 0, "the kernel's network configuration, a rich source of kernel bugs"),
    "netlink-audit": (16, _RAW, 9, "the kernel's audit log"),
    "netlink-netfilter": (16, _RAW, 12, "nf_tables, behind several escapes from containers"),
    "packet": (17, _RAW, 768, "every frame on the wire"),
    "key": (15, _RAW, 2, "the kernel's IPsec keys"),
    "can": (29, _RAW, 1, "buses of vehicles and machines"),
    "tipc": (30, _STREAM, 0, "cluster messages; its module loads by itself and had remote kernel bugs"),
    "bluetooth": (31, _RAW, 1, "radios near the machine"),
    "alg": (38, 5, 0, "the kernel's ciphers, behind more than one kernel bug"),
    "vsock": (40, _STREAM, 0, "the hypervisor under a virtual machine; Docker's default lets it through"),
    "smc": (43, _STREAM, 0, "remote memory"),
    "xdp": (44, _RAW, 0, "packets straight from the card"),
    "rds": (21, 5, 0, "datagrams of clusters; its module loads by itself"),
    "qipcrtr": (42, _DATAGRAM, 0, "processors of modems beside this one"),
}  # fmt: skip
_STOOD_IN_FOR = {"inet", "inet-datagram", "inet6", "inet6-datagram"}
_ENGINE_SOCKETS = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
)


def _family(family: int, kind: int, protocol: int) -> Callable[[], str | None]:
    """A socket of that family; where the guest reports attempts, one that only looks like it is handed out."""

    def attempt() -> str | None:
        made = socket.socket(socket.AF_UNIX, kind, 0, raw(NUMBERS["socket"][machine()], family, kind, protocol))
        domain = made.getsockopt(_SOL_SOCKET, _SO_DOMAIN)
        return STAND_IN if domain == socket.AF_UNIX else None

    return attempt


def _pair() -> None:
    raw(NUMBERS["socketpair"][machine()], 2, _STREAM, 0, bytes(8))


def _metadata() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        client.connect((_METADATA, 80))


def _loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))


def _name() -> None:
    socket.getaddrinfo("example.com", 443)


def _interfaces() -> None:
    names = {line.partition(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()[2:]}
    assert names <= {"lo"} | _FALLBACK_TUNNELS, names


def _routes() -> None:
    routes = Path("/proc/net/route").read_text().splitlines()[1:]
    assert routes == [], routes


def _engine(path: str) -> Callable[[], None]:
    def attempt() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(path)

    return attempt


def _probe(name: str, what: str, expected: tuple[str, ...], why: str, attempt: Callable[[], str | None]) -> Probe:
    return Probe(f"network.{name}", "network", what, expected, why, attempt)


NETWORK: tuple[Probe, ...] = (
    *(
        _probe(
            name,
            f"a socket of family {family}, type {kind}",
            ("EPERM", STAND_IN) if name in _STOOD_IN_FOR else ("EPERM",),
            f"reaches {reach}",
            _family(family, kind, protocol),
        )
        for name, (family, kind, protocol, reach) in _FAMILIES.items()
    ),
    _probe("pair", "a pair of internet sockets", ("EPERM",), "the same rule must stand at both doors", _pair),
    _probe("metadata", f"a connection to {_METADATA}", ("EPERM", "ENETUNREACH"),
           "clouds hand credentials to whoever can ask there", _metadata),
    _probe("loopback", "a server on 127.0.0.1", ("EPERM", "EADDRNOTAVAIL"),
           "what listens on the machine itself would be in reach were the namespace shared", _loopback),
    _probe("names", "the address of a name", ("gaierror",), "questions to name servers carry data out", _name),
    _probe("interfaces", "which interfaces there are", ("works",),
           "a namespace with anything but lo in it is a way out", _interfaces),
    _probe("routes", "which routes there are", ("works",), "none is needed where nothing may leave", _routes),
    *(
        _probe(f"engine{path.replace('/', '-').removesuffix('.sock')}", f"a connection to {path}",
               ("ENOENT", "EACCES"), "who may speak to the engine is root on its machine", _engine(path))
        for path in _ENGINE_SOCKETS
    ),
    _probe("abstract", "a connection to an abstract socket of containerd's shim", ("ECONNREFUSED",),
           "abstract sockets belong to the network namespace; sharing it once opened the engine (CVE-2020-15257)",
           _engine("\0/containerd-shim/moby/x/shim.sock")),
)  # fmt: skip
