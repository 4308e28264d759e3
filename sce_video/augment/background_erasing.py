"""Background erasing: a still frame is mixed into all frames of a view (arXiv:2009.05769).

The background of a view is then that of another moment or another video, so it says less about the video; the movement
stays as it is, only weaker.
"""

from dataclasses import dataclass

from torch import Tensor

from sce_video.augment.op import Drawn, Op, send

# By AUG.BACKGROUND_ERASING, whose frame it is: of the same clip, as in the paper, or of the video that follows in the
# batch (on this rank; that of the last one is the first).
STILL_FRAMES = {"own": 0, "other": 1}


@dataclass(frozen=True)
class BackgroundErasing(Op):
    """(1 - weight) * frame + weight * still frame, for all frames of a clip.

    The weight is uniform in [0, `most_weight`] (the authors' code: 0.3), and so is the time of the still frame in its
    clip. As the first op of a recipe, it gives the still frame the colours of the view that it is mixed into.

    Args:
        shift: the still frame is of the video so much further in the batch, a value of STILL_FRAMES.
    """

    most_weight: float
    shift: int

    @property
    def ranges(self) -> tuple[tuple[float, float], ...]:
        return (0.0, self.most_weight), (0.0, 1.0)

    def apply(self, views: Tensor, drawn: Drawn) -> None:
        weights, times = drawn.numbers.unbind(1)
        videos, sources = (send(each, views.device) for each in (drawn.videos, drawn.videos.roll(-self.shift)))
        frames = send((times * views.shape[2]).long(), views.device)
        stills = views[sources, :, frames].unsqueeze(2)  # (n, C, 1, H, W), before any is changed
        views[videos] = views[videos].lerp(stills, send(weights, views.device).view(-1, 1, 1, 1, 1))
