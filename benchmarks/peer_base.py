"""Makes the images that peers start from, of this machine's distribution.

    python -m benchmarks.peer_base

``plain`` holds what a slim Python image does, the usual base: from it a peer installs a compiler and git at every
cold build. ``prepared`` has those too, so that nothing is timed but the packages' way into the image. Both have
uv, whose installer the peers would fetch, and the host's certificate authorities, since build containers reach the
package index as the host does. Needs mmdebstrap and an engine whose builds may use the host's network.
"""

from __future__ import annotations

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

PLAIN, PREPARED = "mixpeek-benchmark/peer-base:plain", "mixpeek-benchmark/peer-base:prepared"
_SUITE = "bookworm"
_PYTHON = ("bash", "ca-certificates", "curl", "passwd", "python3", "python3-pip", "python3-venv")
_PACKAGES = {PLAIN: _PYTHON, PREPARED: (*_PYTHON, "build-essential", "git", "gnupg2")}
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
    """Make one of the two and return its id; about a minute."""
    program = shutil.which("mmdebstrap", path=program_path())
    if program is None:
        raise ProcessFailed("mmdebstrap is missing", remedy="apt-get install --no-install-recommends mmdebstrap")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root.tar"
        arguments = ["--quiet", "--variant=apt", f"--include={','.join(_PACKAGES[tag])}", _SUITE, str(root)]
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
    """Make both and print their ids."""
    for tag in _PACKAGES:
        print(make(tag), tag)


if __name__ == "__main__":
    main()
