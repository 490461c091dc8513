"""The scan: what a plugin's code reaches, judged by policy, without running any of it."""

from toolchain.scan.collection import Scanned, plugins_in, strays_in
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
    "scan",
    "strays_in",
]
