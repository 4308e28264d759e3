"""Storages of videos that are copied into the cache before they are opened: behind URLs, or in shards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sce_video.clips.decoders import VideoOpener
from sce_video.data.storage import GetFiles, LocalFiles, OpenPath, Storage
from sce_video.engine.remote import Location, RefusedError, RemotePath
from sce_video.engine.remote.videos import Fetchable, shard_member, whole_file
from sce_video.urls import is_url


@dataclass(frozen=True)
class RemoteFiles(Storage):
    """Files behind URLs, which are below a root or in the list."""

    root: RemotePath
    is_remote = True

    def name(self, path: str) -> str:
        return str(self._location(path))

    def why_missing(self, path: str) -> str | None:
        """Other suffixes are not tried over a network."""
        try:
            return None if self._location(path).exists() else ""
        except RefusedError as error:  # S3 also answers 403 for a missing file if listing is denied
            return str(error)

    def fetchable(self, path: str) -> Fetchable:
        return whole_file(self._location(path))

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        fetching = files()
        return lambda path: fetching.open(self.fetchable(path), opener)

    def identity(self, paths: Mapping[int, str]) -> Sequence[object]:
        """The root: sizes would be a request each."""
        return [str(self.root)]

    def _location(self, path: str) -> RemotePath:
        return RemotePath("", path) if is_url(path) else self.root / path


@dataclass(frozen=True)
class MixedFiles(Storage):
    """Files below a local folder, and files of which the list has the URL."""

    root: Path
    is_remote = True

    def name(self, path: str) -> str:
        return self._of(path).name(path)

    def why_missing(self, path: str) -> str | None:
        return self._of(path).why_missing(path)

    def file(self, path: str) -> str | None:
        return self._of(path).file(path)

    def fetchable(self, path: str) -> Fetchable | None:
        return self._of(path).fetchable(path)

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        local, remote = (each.opened_by(opener, files) for each in (LocalFiles(self.root), _URLS))
        return lambda path: (remote if is_url(path) else local)(path)

    def _of(self, path: str) -> Storage:
        return _URLS if is_url(path) else LocalFiles(self.root)


_URLS = RemoteFiles(RemotePath(""))


@dataclass(frozen=True)
class Shards(Storage):
    """Members of the tar files below a folder or URL; paths are those of `member_path`.

    `versions`: of each shard by its path; a version changes with the content.
    """

    root: Location
    versions: Mapping[str, str]

    def fetchable(self, path: str) -> Fetchable:
        return shard_member(self.root, path, versions=self.versions)

    def content(self, paths: Mapping[int, str]) -> Sequence[object]:
        return sorted(self.versions.items())

    def identity(self, paths: Mapping[int, str]) -> Sequence[object]:
        """Nothing more: the paths have the place and length of each video in its shard."""
        return []

    def opened_by(self, opener: VideoOpener, files: GetFiles) -> OpenPath:
        fetching = files()
        return lambda path: fetching.open(self.fetchable(path), opener)
