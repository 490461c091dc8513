"""The scan: what a plugin's code reaches, judged by policy, without running any of it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolchain.scan.collection import Scanned, plugins_in, require_code, strays_in
    from toolchain.scan.model import Item, Limits, ScanFinding, ScanOptions, ScanResult
    from toolchain.scan.scanner import scan

__all__ = [
    "Item",
    "Limits",
    "ScanFinding",
    "ScanOptions",
    "ScanResult",
    "Scanned",
    "plugins_in",
    "require_code",
    "scan",
    "strays_in",
]

_COLLECTION = ("Scanned", "plugins_in", "require_code", "strays_in")
_PLACES = {**dict.fromkeys(_COLLECTION, "collection"), "scan": "scanner"}


def __getattr__(name: str) -> Any:
    """What is asked for is imported then: each worker imports this package, and needs none of it."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'model')}"), name)
