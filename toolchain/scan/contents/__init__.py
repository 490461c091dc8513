"""What a scan looks at: a folder, an archive or a file, read within limits and told apart by content."""

from toolchain.scan.contents.kinds import carries_code, classify, looks_like_python
from toolchain.scan.contents.model import Entry, Problem, Reading, line_number
from toolchain.scan.contents.reading import read_contents

__all__ = [
    "Entry",
    "Problem",
    "Reading",
    "carries_code",
    "classify",
    "line_number",
    "looks_like_python",
    "read_contents",
]
