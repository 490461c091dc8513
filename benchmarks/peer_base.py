"""Makes the image that peers start from: what their own bases hold, from this machine's distribution.

    python -m benchmarks.peer_base [--tag mixpeek-benchmark/peer-base:1]

Peers install git, a compiler, curl and certificates at every cold build where their base lacks them. Here the base
has them, and uv as well, so that what is timed is their work and not a package mirror's. The host's certificate
authorities are in it, since build containers reach the package index as the host does. Needs mmdebstrap and an
engine whose builds may use the host's network.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uv

from images.engine_calls import build_image
from images.environment import network_variables, program_path
from toolchain.core.containers import connect
from toolchain.core.errors import ProcessFailed
from toolchain.core.process import run
from toolchain.core.tarball import END, chunks, file_entry, file_header, file_part, padding

TAG = "mixpeek-benchmark/peer-base:1"
_SUITE = "bookworm"
_PACKAGES = (
    "bash", "build-essential", "ca-certificates", "curl", "git", "gnupg2", "passwd", "python3", "python3-pip",
    "python3-venv",
)  # fmt: skip
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_DOCKERFILE = f"""
FROM scratch
ADD root.tar /
COPY authorities {_AUTHORITIES}
COPY uv /usr/local/bin/uv
ENV SSL_CERT_FILE={_AUTHORITIES} PIP_CERT={_AUTHORITIES} UV_SYSTEM_CERTS=1
CMD ["bash"]
"""


def make(tag: str) -> str:
    """Make the image and return its id; about a minute."""
    program = shutil.which("mmdebstrap", path=program_path())
    if program is None:
        raise ProcessFailed("mmdebstrap is missing", remedy="apt-get install --no-install-recommends mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root.tar"
        arguments = ["--quiet", "--variant=apt", f"--include={','.join(_PACKAGES)}", _SUITE, str(root)]
        environment = {**network_variables(), "PATH": program_path(), "LC_ALL": "C"}
        made = run([program, *arguments], timeout=900, env=environment)
        if not made.ok:
            raise ProcessFailed(f"mmdebstrap failed: {made.stderr[-300:]}", remedy="check the package mirror")
        return str(build_image(connect(), _context(root), tag)["Id"])


def _context(root: Path) -> Iterator[bytes]:
    yield file_entry("Dockerfile", _DOCKERFILE.encode())
    yield file_entry("authorities", _AUTHORITIES.read_bytes())
    yield file_entry("uv", Path(uv.find_uv_bin()).read_bytes(), executable=True)
    part = file_part(root)
    yield file_header("root.tar", part.size)
    yield from chunks([part])
    yield padding(part.size)
    yield END


def main() -> None:
    """Make it and print its id."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", default=TAG)
    print(make(parser.parse_args().tag))


if __name__ == "__main__":
    main()
