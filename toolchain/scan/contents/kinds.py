"""What a file is: by its content first, by its name where content cannot tell.

Libraries that tell file kinds (puremagic, filetype) know thousands of signatures, most of two or three bytes. A
gate wants the opposite: few kinds, known to be harmless to whoever only reads them, and everything else a
finding.
"""

from __future__ import annotations

import io
import json
import re
from itertools import islice

_HEAD = 1 << 16
_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa")
_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "native library": (b"\x7fELF", b"MZ", *_MACH_O, b"\x00asm", b"!<arch>\n", b"dex\n"),
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "gzip": (b"\x1f\x8b",),
    "bzip2": (b"BZh",),
    "xz": (b"\xfd7zXZ",),
    # zstd, 7z, rar, lz4, cab, compress, squashfs, rpm
    "unread archive": (
        *(b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf", b"Rar!", b"\x04\x22\x4d\x18", b"MSCF", b"\x1f\x9d", b"hsqs"),
        b"\xed\xab\xee\xdb",
    ),
    "image": (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x00\x00\x01\x00", b"II*\x00", b"MM\x00*", b"8BPS"),
    "media": (b"RIFF", b"OggS", b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\x1aE\xdf\xa3", b"FORM", b"MThd"),
    "document": (b"%PDF",),
    "font": (b"wOF", b"\x00\x01\x00\x00", b"OTTO", b"ttcf"),
    "parquet": (b"PAR1",),
    "arrow": (b"ARROW1",),
    "numpy": (b"\x93NUMPY",),
    "hdf5": (b"\x89HDF",),
    "sqlite": (b"SQLite format 3",),
    "table": (b"ORC", b"Obj\x01", b"SIMPLE  ="),  # ORC, Avro, FITS
    "gguf": (b"GGUF",),
    "fasttext": (b"\xba\x16\x4f\x2f",),
}
_HARMLESS = frozenset(
    {
        "arrow", "document", "empty", "fasttext", "font", "gguf", "hdf5", "image", "json", "media", "numpy",
        "parquet", "safetensors", "sentencepiece", "sqlite", "table", "tensor data", "text", "tflite",
    }
)  # fmt: skip
_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill")
_TEXT_KINDS = (
    ((".py", ".pyi", ".pyw"), "python"),
    ((".ipynb",), "notebook"),
    ((".pth",), "path file"),
    ((".yaml", ".yml"), "yaml"),
    ((".json",), "json"),
    ((".toml", ".cfg", ".ini", ".conf"), "configuration"),
    ((".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1"), "shell script"),
    ((".pyx", ".pxd", ".pxi", ".c", ".cpp", ".cc", ".cxx", ".cu", ".cuh", ".h", ".hpp", ".rs"), "native source"),
)
# A program that does anything a policy asks about holds one of these.
_PROGRAM_WORDS = (b"import", b"exec", b"eval", b"compile", b"getattr", b"globals", b"__", b"open(")
_SHELL = re.compile(rb"#!.*\b(?:ba|da|z|k|c|fi)?sh\b")
_PYTHON = re.compile(rb"#!.*python")
_TEXT_PICKLE = re.compile(rb"(?:^|\n|.)[ci(][\w.]{1,200}\n[\w.]{1,200}\n|\x93")
_MODEL_MEMBER = re.compile(r"(?:^|/)(?:data/\d+|constants/\d+|tensors/\d+)$")
_END_OF_ZIP = b"PK\x05\x06"


def classify(name: str, data: bytes) -> str:
    """What a file is; ``unknown binary`` where nothing is known of its content."""
    if not data:
        return "empty"
    last = name.rpartition("/")[2].lower()
    kind = _kind_that_runs(last, data) or _by_signature(data)
    if kind is None and (last.endswith(_PICKLE_SUFFIXES) or _is_pickle(data) or _is_text_pickle(data)):
        kind = "pickle"
    if kind is None and last.endswith(".onnx"):
        kind = "onnx"
    if kind is not None:
        return kind
    return _text_kind(last, data) if is_text(data) else _binary_kind(name, data)


def carries_code(kind: str, data: bytes) -> bool:
    """Whether a file of this kind can make something run."""
    return kind not in _HARMLESS or (kind in {"text", "json"} and looks_like_python(data))


def archive_kind(data: bytes) -> str | None:
    """How to unpack this: ``zip``, ``tar``, or the name of a compression; ``None`` for anything else."""
    if data[257:262] == b"ustar":
        return "tar"
    kind = _by_signature(data)
    if kind in {"zip", "gzip", "bzip2", "xz"}:
        return kind
    if _is_zlib(data):
        return "zlib"
    return "zip" if zip_tail(data) else None


def zip_tail(data: bytes) -> bool:
    """Whether a zip archive hangs on other content: Python runs and imports it all the same."""
    found = data.rfind(_END_OF_ZIP, max(len(data) - 0x10016, 0))
    return found > 0 and len(data) - found >= 22 and not data.startswith((b"PK\x03\x04", _END_OF_ZIP))


def is_text(data: bytes) -> bool:
    """Whether the start of the data reads as text, in UTF-8, UTF-16 with its mark, or a one-byte encoding."""
    head = data[:_HEAD]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as reason:
        return reason.start > len(head) - 4 or sum(byte > 126 or byte < 9 for byte in head) < len(head) * 0.3
    return True


def looks_like_python(data: bytes) -> bool:
    """Whether a text could be a program that does something; the parser has the last word."""
    return any(word in data for word in _PROGRAM_WORDS) and not _is_json(data)


def _is_json(data: bytes) -> bool:
    """Whether a text is a JSON value, or one on each line: Python would parse it as well, for nothing."""
    if data.lstrip()[:1] not in {b"{", b"["}:
        return False
    # The lines as one array: a string that reached over their joints would be no string of Python's either.
    lines = b",".join(line for line in data.splitlines() if line.strip())
    for text in (data, b"[%b]" % lines):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            continue
        return True
    return False


def _kind_that_runs(last: str, data: bytes) -> str | None:
    """What an interpreter takes by its name, whatever is in it."""
    if last.endswith((".py", ".pyi", ".pyw")):
        return "python"
    return "compiled python" if last.endswith((".pyc", ".pyo")) or _is_bytecode(data) else None


def _by_signature(data: bytes) -> str | None:
    for kind, signatures in _SIGNATURES.items():
        if data.startswith(signatures) and not (len(data) < 16 and is_text(data)):
            return None if kind in {"media", "native library"} and _is_short_word(data) else kind
    if data[4:8] == b"ftyp":
        return "media"
    if data.startswith(b"BM") and int.from_bytes(data[2:6], "little") == len(data):
        return "image"
    return "tflite" if data[4:8] == b"TFL3" else None


def _is_short_word(data: bytes) -> bool:
    """``MZ``, ``FORM`` and their kind also begin plain text."""
    return data[:4].isascii() and data[:2].isalpha() and is_text(data)


def _is_bytecode(data: bytes) -> bool:
    return len(data) > 16 and data[2:4] == b"\r\n" and data[:2] != b"\r\n" and b"\0" in data[4:16]


def _is_pickle(data: bytes) -> bool:
    return data[:1] == b"\x80" and data[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}


def _is_text_pickle(data: bytes) -> bool:
    """A pickle of protocol 0 or 1 is text that ends in a dot; only one that imports something matters here."""
    if data.rstrip()[-1:] != b"." or len(data) > _HEAD * 16 or not _TEXT_PICKLE.search(data):
        return False
    import pickletools  # only for the few texts that come this far

    try:
        last = None
        for opcode, _argument, _position in islice(pickletools.genops(io.BytesIO(data)), 100_000):
            last = opcode.name
    except Exception:  # noqa: BLE001 - pickletools raises many kinds on what is no pickle
        return False
    return last == "STOP"


def _is_zlib(data: bytes) -> bool:
    if data[:1] != b"\x78" or data[1:2] not in {b"\x01", b"\x5e", b"\x9c", b"\xda"}:
        return False
    import zlib

    try:
        return bool(zlib.decompressobj().decompress(data[:4096], 64))
    except zlib.error:
        return False


def _binary_kind(name: str, data: bytes) -> str:
    if _is_safetensors(data):
        return "safetensors"
    if data[:1] == b"\x0a" and b"\x0a\x05<unk>" in data[:64]:
        return "sentencepiece"
    if "!/" in name and _MODEL_MEMBER.search(name):
        return "tensor data"  # the raw numbers of a checkpoint, which its pickle names
    return "compressed" if _is_zlib(data) else "unknown binary"


def _text_kind(last: str, data: bytes) -> str:
    for suffixes, kind in _TEXT_KINDS:
        if last.endswith(suffixes):
            return kind
    if _SHELL.match(data):
        return "shell script"
    return "python" if _PYTHON.match(data) else "text"


def _is_safetensors(data: bytes) -> bool:
    size = int.from_bytes(data[:8], "little")
    if data[8:9] != b"{" or size > min(len(data) - 8, 100 << 20):
        return False
    try:
        return isinstance(json.loads(data[8 : 8 + size]), dict)
    except (ValueError, RecursionError):
        return False
