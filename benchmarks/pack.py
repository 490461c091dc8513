"""Packing beside ``tar | gzip -6``: CPU seconds on the same tree, in turns. ``python -m benchmarks.pack [MB]``."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROUNDS = 5
_FILES = 200


def main() -> None:
    """Print both medians and their ratio."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "bench_plugin")
        make_tree(root, megabytes)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(
                _cpu([sys.executable, "-m", "toolchain.cli.main", "plugin", "pack", "-p", str(root), "-o", folder])
            )
            theirs.append(
                _cpu(["sh", "-c", f"tar -C {folder} -cf - bench_plugin | gzip -6 > {folder}/peer.tar.gz"])
            )
        a, b = median(ours), median(theirs)
        print(f"plugin pack, {megabytes} MB: {a:.2f} s CPU; tar | gzip -6: {b:.2f} s CPU; ratio {a / b:.2f}")


def make_tree(root: Path, megabytes: int) -> None:
    """A plugin that packs, with data of which a third compresses, as text and weights do together."""
    from tests.support.plugins import make_plugin

    plugin = make_plugin(root.parent, root.name)
    plugin.replace(
        "manifest.py", '"feature_extractor_name": "spoiled_plugin"', f'"feature_extractor_name": "{root.name}"'
    )
    source = random.Random(1)
    words = [source.randbytes(4).hex() for _ in range(5_000)]
    size = megabytes * 1_000_000 // _FILES
    for number in range(_FILES):
        if number % 3:
            data = source.randbytes(size)
        else:
            data = " ".join(source.choices(words, k=size // 9 + 1)).encode()[:size]
        path = root / "data" / f"{number:03}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def _cpu(argv: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


if __name__ == "__main__":
    main()
