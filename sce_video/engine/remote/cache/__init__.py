"""Local copies of remote files in a folder of bounded size, shared by all processes of a machine."""

from sce_video.engine.remote.cache.folder import CacheError, FileCache, HeldFile, TooLargeError, disk_errors

__all__ = ["CacheError", "FileCache", "HeldFile", "TooLargeError", "disk_errors"]
