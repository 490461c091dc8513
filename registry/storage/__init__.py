"""Where archives lie: local files, or any S3."""

from registry.storage.fetching import Fetched, KeptArchive, fetch, fetch_kept
from registry.storage.files import FileStorage
from registry.storage.interface import Storage, StorageFault, UploadTerms, UploadTicket

__all__ = [
    "Fetched",
    "FileStorage",
    "KeptArchive",
    "Storage",
    "StorageFault",
    "UploadTerms",
    "UploadTicket",
    "fetch",
    "fetch_kept",
]
