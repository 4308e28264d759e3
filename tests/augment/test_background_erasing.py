"""Background erasing: by hand, by a slow loop, and what it leaves as it was."""

import pytest
import torch

from sce_video.augment.background_erasing import STILL_FRAMES, BackgroundErasing
from sce_video.augment.op import Drawn


def erased(views: torch.Tensor, videos: list[int], numbers: list[tuple[float, float]], still: str) -> torch.Tensor:
    """`numbers` are the weight and the time of the still frame, for each of `videos`."""
    drawn = Drawn(torch.tensor(videos), torch.tensor(numbers), torch.zeros(len(videos), 4, dtype=torch.int64))
    changed = views.clone()
    BackgroundErasing(1.0, most_weight=1.0, shift=STILL_FRAMES[still]).apply(changed, drawn)
    return changed


def gray(*clips: list[float]) -> torch.Tensor:
    """Of one pixel and one channel, (B, 1, T, 1, 1)."""
    return torch.tensor(clips)[:, None, :, None, None]


def test_a_frame_of_the_same_clip_by_hand() -> None:
    """A quarter of the second frame, 1: 0.75 * (0, 1, 0.5, 0.25) + 0.25; the other clip is left as it is."""
    views = gray([0.0, 1.0, 0.5, 0.25], [0.1, 0.2, 0.3, 0.4])
    changed = erased(views, [0], [(0.25, 0.49)], "own")
    torch.testing.assert_close(changed[0].flatten(), torch.tensor([0.25, 1.0, 0.625, 0.4375]))
    assert torch.equal(changed[1], views[1])


def test_a_frame_of_the_next_video_by_hand() -> None:
    """Half of the last frame of the next video, of the last video half of the first one's first frame."""
    views = gray([0.0, 1.0], [0.2, 0.6], [0.4, 0.8])
    changed = erased(views, [0, 1, 2], [(0.5, 0.99), (0.5, 0.99), (0.5, 0.0)], "other")
    expected = gray([0.3, 0.8], [0.5, 0.7], [0.2, 0.4])  # with frames 0.6, 0.8 and 0, as they were
    torch.testing.assert_close(changed, expected)


@pytest.mark.parametrize("still", STILL_FRAMES)
def test_a_batch_as_a_slow_loop_over_its_frames(still: str) -> None:
    generator = torch.Generator().manual_seed(0)
    views = torch.rand(5, 3, 4, 6, 6, generator=generator)
    numbers = torch.rand(5, 2, generator=generator)
    expected = views.clone()
    for video, (weight, time) in enumerate(numbers.tolist()):
        other = views[video if still == "own" else (video + 1) % 5]
        for frame in range(4):
            expected[video, :, frame] = (1 - weight) * views[video, :, frame] + weight * other[:, int(4 * time)]
    torch.testing.assert_close(erased(views, list(range(5)), list(map(tuple, numbers.tolist())), still), expected)


def test_a_still_clip_keeps_its_own_background() -> None:
    still = torch.rand(2, 3, 1, 6, 6, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 4, -1, -1)
    torch.testing.assert_close(erased(still, [0, 1], [(0.3, 0.1), (0.7, 0.9)], "own"), still)


@pytest.mark.parametrize("still", STILL_FRAMES)
def test_movement_only_becomes_weaker(still: str) -> None:
    """What is mixed in does not move, so differences of frames are those of before times 1 - weight."""
    views = torch.rand(3, 3, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    changed = erased(views, [0, 1, 2], [(0.3, 0.5), (0.2, 0.0), (0.0, 0.9)], still)
    weights = torch.tensor([0.3, 0.2, 0.0]).view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(changed.diff(dim=2), (1 - weights) * views.diff(dim=2), rtol=0, atol=1e-6)


def test_in_a_batch_of_one_the_other_video_is_itself() -> None:
    views = gray([0.0, 1.0, 0.5])
    drawn = [(0.25, 0.5)]
    assert torch.equal(erased(views, [0], drawn, "other"), erased(views, [0], drawn, "own"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_as_on_the_cpu() -> None:
    views = torch.rand(5, 3, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    drawn = [(0.1 * video, 0.2 * video) for video in range(5)]
    on_gpu = erased(views.cuda(), list(range(5)), drawn, "other")
    torch.testing.assert_close(on_gpu.cpu(), erased(views, list(range(5)), drawn, "other"))
