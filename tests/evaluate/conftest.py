"""Real videos whose brightness says which frame and which part of it one sees, and broken ones."""

from pathlib import Path

import av
import numpy as np
import pytest

from sce_video.clips.decoders import VideoOpener
from sce_video.data.videos import StoredVideos, videos_from_paths

BLOCK = 16
FPS = 10


def write_video(path: Path, *, blocks: int, num_frames: int, offset: int) -> None:
    """Gray mp4, 2 x `blocks` squares of BLOCK pixels: frame i, column of squares b is offset + 4 i + 20 b."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "1", "preset": "veryfast", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = blocks * BLOCK, 2 * BLOCK, "yuv420p"
        columns = np.repeat(np.arange(blocks), BLOCK)[None, :, None]
        for i in range(num_frames):
            gray = np.broadcast_to(offset + 4 * i + 20 * columns, (2 * BLOCK, blocks * BLOCK, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(gray, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> StoredVideos:
    """Six files: of 40 frames (4 s), not a video, 5 frames (0.5 s), missing, 40 frames and brighter, 40 frames."""
    folder = tmp_path_factory.mktemp("videos")
    names = ("zero.mp4", "broken.mp4", "short.mp4", "missing.mp4", "bright.mp4", "last.mp4")
    paths = [folder / name for name in names]
    write_video(paths[0], blocks=4, num_frames=40, offset=0)
    paths[1].write_bytes(b"this is no video" * 64)
    write_video(paths[2], blocks=4, num_frames=5, offset=30)
    write_video(paths[4], blocks=4, num_frames=40, offset=30)
    write_video(paths[5], blocks=4, num_frames=40, offset=15)
    manifest = videos_from_paths(root=folder, paths=names, labels=None, origin=str(folder))
    return manifest.opened_by(VideoOpener("pyav"))
