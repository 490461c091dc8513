"""Where archives lie: local files, or any S3."""

from registry.storage.files import FileStorage
from registry.storage.interface import Storage, StorageFault, UploadTerms, UploadTicket

__all__ = ["FileStorage", "Storage", "StorageFault", "UploadTerms", "UploadTicket"]
