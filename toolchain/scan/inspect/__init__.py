"""Findings in what is not judged as a program: models, configurations, texts that mislead, secrets."""

from toolchain.scan.inspect.inspection import inspect_entry

__all__ = ["inspect_entry"]
