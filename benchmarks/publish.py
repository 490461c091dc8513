"""Uploading beside curl, and its memory; verifying a release. ``python -m benchmarks.publish [MB]``.

Both upload the same file to the same server on this machine, in turns; the server reads and throws away.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

ROUNDS = 5
_SMALL = 20


def main() -> None:
    """Print rates, their ratio, and how memory grows with the file."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/archive"
    with tempfile.TemporaryDirectory() as folder:
        small, large = _file(folder, _SMALL), _file(folder, megabytes)
        ours, curls = [], []
        for _ in range(ROUNDS):
            ours.append(_ours(url, large)[0])
            curls.append(_curl(url, large))
        a, b = megabytes / median(ours), megabytes / median(curls)
        print(f"upload of {megabytes} MB: {a:.0f} MB/s; curl {b:.0f} MB/s; ratio {a / b:.2f}")
        peaks = [_ours(url, file)[1] / 1024 for file in (small, large)]
        print(f"peak memory: {peaks[0]:.1f} MiB for {_SMALL} MB, {peaks[1]:.1f} MiB for {megabytes} MB")
        print(f"verify of a release of {_SMALL} MB: {_verify(Path(folder)):.2f} s")
    server.shutdown()


def upload(url: str, file: Path, digest: str) -> None:
    """One upload by the client, in a process of its own so that its memory is its own."""
    from toolchain.publish.client.transport import Connection
    from toolchain.publish.client.upload import PutOrder, put_file

    started = time.monotonic()
    put_file(PutOrder(url, file, digest, "application/gzip"), Connection("http://127.0.0.1"))
    print(time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        left, buffer = int(self.headers["Content-Length"]), memoryview(bytearray(1 << 20))
        if "100-continue" in self.headers.get("Expect", ""):
            self.send_response_only(100)
            self.end_headers()
        while left:
            left -= self.rfile.readinto(buffer[: min(left, len(buffer))])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _ours(url: str, file: Path) -> tuple[float, int]:
    call = f"upload({url!r}, Path({str(file)!r}), '00')"
    code = f"from pathlib import Path; from benchmarks.publish import upload; {call}"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak)


def _curl(url: str, file: Path) -> float:
    argv = ["curl", "-s", "-o", "/dev/null", "-w", "%{time_total}", "-T", str(file), url]
    return float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def _file(folder: str, megabytes: int) -> Path:
    path = Path(folder, f"{megabytes}.bin")
    block = hashlib.sha256(b"x").digest() * 31_250
    with path.open("wb") as stream:
        for _ in range(megabytes):
            stream.write(block)
    return path


def _verify(folder: Path) -> float:
    """Seconds of ``mixpeek plugin verify`` as a whole, imports and start included: the median of three."""
    import os

    from benchmarks.pack import make_tree
    from tests.support.releases import SignedRelease, signed_payloads
    from toolchain.core.reporter import SilentReporter
    from toolchain.publish.keys import KeyStore
    from toolchain.publish.packing import PackOrder, pack_plugin

    make_tree(folder / "bench_plugin", _SMALL)
    (folder / "bench_plugin" / "pylock.cpu.toml").write_text("packages = []\n")
    packed = pack_plugin(PackOrder(folder / "bench_plugin", folder), SilentReporter()).packed
    assert packed is not None
    keys = KeyStore(folder / "keys")
    keys.generate()
    SignedRelease(packed, keys).sign(signed_payloads(packed))
    times = []
    for _ in range(3):
        started = time.monotonic()
        argv = [sys.executable, "-m", "toolchain.cli.main", "plugin", "verify", str(packed.path)]
        environment = {**os.environ, "MIXPEEK_STATE_DIR": str(folder)}
        subprocess.run(argv, check=True, capture_output=True, env=environment)
        times.append(time.monotonic() - started)
    return median(times)


if __name__ == "__main__":
    main()
