"""The results as one HTML file for a reviewer."""

from toolchain.scan.html.page import to_html

__all__ = ["to_html"]
