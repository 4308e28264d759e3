"""Disk cache of remote files with a size limit, shared by all processes of a machine."""

from sce_video.engine.remote.cache.folder import (
    CacheError,
    FileCache,
    HeldFile,
    TooLargeError,
    cache_folder,
    disk_errors,
)

__all__ = ["CacheError", "FileCache", "HeldFile", "TooLargeError", "cache_folder", "disk_errors"]
