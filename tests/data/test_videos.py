import os
from pathlib import Path

import pytest
import torch

from sce_video.clips.decoders import DecodeError, VideoOpener
from sce_video.data.videos import videos_from_paths


def test_a_prepared_video_is_opened_by_its_listed_name(motion_videos: Path, tmp_path: Path) -> None:
    original = sorted((motion_videos / "train").rglob("*.mp4"))[0]
    os.symlink(original, tmp_path / "a.mp4")
    videos = videos_from_paths(tmp_path, ["a.avi", "b.avi"], None, "list.txt").opened_by(VideoOpener("pyav"))
    with videos.open(0) as opened, VideoOpener("pyav")(str(original)) as expected:
        assert opened.metadata == expected.metadata
        assert torch.equal(opened.frames_at([0.0]), expected.frames_at([0.0]))
    with pytest.raises(DecodeError, match=f"{tmp_path}/b.avi"):
        videos.open(1)
