import signal
from pathlib import Path

import pytest

from sce_video.clips.decoders import DecodeError, VideoOpener
from sce_video.data.sources import read_folder
from sce_video.data.videos import ListedVideos
from sce_video.data.watched import WatchedVideos
from sce_video.runtime.watch import Watch


def test_lost_videos_count_as_broken(motion_videos: Path) -> None:
    manifest = read_folder(motion_videos, "train")
    watch = Watch(len(manifest), timeout_seconds=120.0, name=manifest.path)
    videos = WatchedVideos(ListedVideos(manifest, VideoOpener("pyav")), watch)
    watch.lose(2, signal.SIGSEGV)
    assert len(videos) == len(manifest)
    with videos.open(3) as opened:
        assert opened.metadata.num_frames > 0
    with pytest.raises(DecodeError, match=f"{manifest.path(2)}: its loader process died of signal 11"):
        videos.open(2)
