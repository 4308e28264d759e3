"""Access to files behind URLs through fsspec, which is imported only for a run that has one."""

from sce_video.engine.remote.location import Location, RemotePath, location, relative_folder
from sce_video.engine.remote.retry import RETRY_POLICY, RefusedError, RemoteError, RetryPolicy

__all__ = [
    "RETRY_POLICY",
    "Location",
    "RefusedError",
    "RemoteError",
    "RemotePath",
    "RetryPolicy",
    "location",
    "relative_folder",
]
