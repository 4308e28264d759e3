"""Keys and names of videos that must be fetched, or copied out of a shard."""

from pathlib import Path

from sce_video.data.remote_storage import MixedFiles, RemoteFiles, Shards
from sce_video.engine.remote import RemotePath


def test_a_full_url_does_not_depend_on_the_root() -> None:
    for storage in (MixedFiles(Path("/videos")), RemoteFiles(RemotePath("s3://bucket/videos"))):
        video = storage.fetchable("https://host/b.mp4?sig=1")
        assert video is not None
        assert (video.name, video.key, video.suffix) == ("https://host/b.mp4?***", "https://host/b.mp4?sig=1", ".mp4")
        assert storage.file("https://host/b.mp4?sig=1") is None
    assert MixedFiles(Path("/videos")).fetchable("a.mp4") is None
    assert MixedFiles(Path("/videos")).file("a.mp4") == "/videos/a.mp4"
    assert RemoteFiles(RemotePath("s3://bucket/videos")).name("a.mp4") == "s3://bucket/videos/a.mp4"


def test_members_differ_by_shard_version_and_offset(tmp_path: Path) -> None:
    storage = Shards(tmp_path, {"a.tar": "written on Monday"})
    video = storage.fetchable("a.tar/x/clip.MP4@1536+20480")
    assert video.name == f"{tmp_path}/a.tar/x/clip.MP4@1536+20480"
    assert (video.key, video.suffix) == (f"{tmp_path}/a.tar written on Monday 1536+20480", ".mp4")


def test_the_content_of_shards_is_their_versions(tmp_path: Path) -> None:
    shards = Shards(tmp_path, {"b.tar": "2", "a.tar": "1"})
    assert shards.content({0: "a.tar/x@0+1"}) == [("a.tar", "1"), ("b.tar", "2")]
