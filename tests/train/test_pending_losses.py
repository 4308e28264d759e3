from pathlib import Path

import pytest
import torch

from sce_video.errors import NonFiniteLossError
from sce_video.train.pending_losses import PendingLosses


def name_video(video: int) -> Path:
    return Path(f"/videos/{video}.mp4")


def test_mean_since_the_last_look() -> None:
    pending = PendingLosses(name_video)
    for step, loss in enumerate([1.0, 2.0, 6.0]):
        pending.add(step, torch.tensor(loss), lr=0.1, videos=[])
    assert pending.mean() == 3.0
    pending.add(3, torch.tensor(5.0), lr=0.1, videos=[])
    assert pending.mean() == 5.0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_bad_step_is_named_with_rate_and_videos(bad: float) -> None:
    pending = PendingLosses(name_video)
    for step, loss in [(7, 1.0), (8, bad), (9, bad)]:
        pending.add(step, torch.tensor(loss), lr=0.25 * step, videos=[step, 0])
    with pytest.raises(NonFiniteLossError, match=r"step 8 .*rate 2;.*/videos/8.mp4, /videos/0.mp4") as caught:
        pending.mean()
    assert "\n" not in str(caught.value)
    assert [step for step, _ in caught.value.losses] == [7, 8]
    assert str([loss for _, loss in caught.value.losses]) == str([1.0, bad])
