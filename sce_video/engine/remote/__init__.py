"""Access to files behind URLs through fsspec, which is imported only for a run that has one."""

from sce_video.engine.remote.location import (
    Location,
    RefusedError,
    RemoteError,
    RemotePath,
    location,
    relative_folder,
)

__all__ = ["Location", "RefusedError", "RemoteError", "RemotePath", "location", "relative_folder"]
