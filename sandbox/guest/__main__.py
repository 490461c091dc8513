"""Entry of the guest: ``python …/__main__.py container|process FILTER [FOLDER…]`` or ``… worker FD FD [FOLDER…]``.

Started by path, so that it works under ``-I -S`` in an image and under any Python of an author. It makes exactly
``engine`` and ``sandbox`` importable from its own tree, and nothing else that lies beside them.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

RUNTIME = str(Path(__file__).resolve().parents[2])


class RuntimeFinder:
    """Finds our two packages in our own tree, before any look at ``sys.path``."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> "ModuleSpec | None":  # noqa: ARG004
        """A spec for ``engine`` or ``sandbox``; their submodules are found through the packages' own paths."""
        return PathFinder.find_spec(name, [RUNTIME]) if name in ("engine", "sandbox") else None


def main() -> None:
    """Become the supervisor, or the worker that it starts."""
    if sys.path and Path(sys.path[0] or ".").resolve() == Path(__file__).resolve().parent:
        del sys.path[0]  # Python put this folder there; its module names are nobody's business
    sys.meta_path.insert(0, RuntimeFinder)
    role = sys.argv[1]
    if role == "worker":
        from sandbox.guest.worker import serve

        serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    else:
        from sandbox.guest.supervisor import supervise

        supervise(contained=role == "container", inner=sys.argv[2], folders=sys.argv[3:])


if __name__ == "__main__":
    main()
