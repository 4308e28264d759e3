"""Which spans and frames are examined; the frames are recognised by their brightness."""

import pytest

from sce_video.data.videos import StoredVideos
from sce_video.evaluate.examine.clips import ExaminedDataset, at_half_speed, examined_spans
from sce_video.evaluate.views import ViewProtocol


@pytest.mark.parametrize(
    ("video", "clip", "starts"),
    [
        (10.0, 2.0, [2.0, 6.0]),  # half of the 8 s apart
        (4.0, 2.0, [0.0, 2.0]),  # a clip apart
        (5.0, 2.0, [0.5, 2.5]),
        (3.0, 2.0, [0.0, 1.0]),  # half of a clip in common
        (2.9, 2.0, [0.45]),  # more than half
        (1.0, 2.0, [0.0]),
    ],
)
def test_two_spans_around_the_middle(video: float, clip: float, starts: list[float]) -> None:
    spans = examined_spans(video, clip)
    assert [span.start_seconds for span in spans] == pytest.approx(starts)
    assert all(span.duration_seconds == clip for span in spans)


def test_half_the_speed_is_the_middle_half() -> None:
    assert at_half_speed([0, 4, 8, 12, 16]) == [4, 6, 8, 10, 12]
    assert at_half_speed([7]) == [7]
    assert at_half_speed([0, 1, 2, 3]) == [1, 1, 2, 2]


def test_clips_of_a_video(videos: StoredVideos) -> None:
    protocol = ViewProtocol(num_clips=0, clip_seconds=1.0, num_frames=5, num_crops=1, size_pixels=32)
    dataset = ExaminedDataset(videos, protocol=protocol)
    decoded = dataset[0]  # 40 frames at 10 fps, frame i of brightness 4 i at the left
    assert decoded.clips.shape[:3] == (3, 5, 3)
    frames = (decoded.clips[:, :, 0, 4:12, 4:12].float().mean(dim=(2, 3)) / 4).round().tolist()
    # Spans from 0.75 and 2.25 s: frames 8 to 17 and 23 to 32.
    assert frames == [[8, 10, 12, 14, 17], [10, 11, 12, 14, 15], [23, 25, 27, 29, 32]]
    assert dataset[2].clips.shape[0] == 2  # 0.5 s: no other clip
    assert "broken.mp4" in str(dataset[1].failure)
