"""Files behind URLs, through fsspec, which is imported only when there is one."""

from sce_video.engine.remote.location import Location, RemotePath, location, relative_folder
from sce_video.engine.remote.retry import PATIENCE, Patience, RefusedError, RemoteError

__all__ = [
    "PATIENCE",
    "Location",
    "Patience",
    "RefusedError",
    "RemoteError",
    "RemotePath",
    "location",
    "relative_folder",
]
