"""Which MIME type a file name's extension stands for, and which strings are locations rather than text.

The table is our own: the standard library's differs between Python versions and reads the host's files, and a
row must not change its type with the machine.
"""

from __future__ import annotations

import re

MIME_TYPE_OF_EXTENSION = {
    # text
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "log": "text/plain",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "srt": "text/plain",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "vtt": "text/vtt",
    "xml": "text/xml",
    # image
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    # video
    "3gp": "video/3gpp",
    "avi": "video/x-msvideo",
    "flv": "video/x-flv",
    "m4v": "video/x-m4v",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "ogv": "video/ogg",
    "ts": "video/mp2t",
    "webm": "video/webm",
    "wmv": "video/x-ms-wmv",
    # audio
    "aac": "audio/aac",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/opus",
    "wav": "audio/wav",
    "wma": "audio/x-ms-wma",
    # documents and containers: known, so that their names are not taken for text
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "epub": "application/epub+zip",
    "gz": "application/gzip",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "tar": "application/x-tar",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}

# Keys in an object store and absolute paths may hold spaces; a web address or a bare file name may not, or every
# sentence that ends in "cat.jpg" would be a picture.
_STORE = r"(?:s3|s3a|gs|gcs|r2|az|abfs|abfss|file|hdfs)://"
_ABSOLUTE = r"/|\.{1,2}/|~/|[a-z]:[\\/]"
_EXTENSIONS = "|".join(sorted(map(re.escape, MIME_TYPE_OF_EXTENSION), key=len, reverse=True))

# Both are read by RE2 inside Arrow: linear time on hostile strings. Keep to the syntax RE2 and `re` share.
NAMED_LOCATION = (
    rf"(?i)^(?:(?:{_STORE}|{_ABSOLUTE})[^\n?#]*|[^\s?#]*)"
    rf"[^\s/\\?#]\.(?P<extension>{_EXTENSIONS})(?:[?#]\S*)?$"
)
ANY_LOCATION = rf"(?i)^(?:{_STORE}[^\n]+|[a-z][a-z0-9+.\-]*://\S+)$"
