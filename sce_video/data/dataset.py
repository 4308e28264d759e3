"""Videos -> cropped uint8 clips with drawn parameters, as a function of (seed, epoch, video, view)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as TF

from sce_video.augment.batch import ClipForView, Failure, VideoClips
from sce_video.augment.draw import CropBox, ViewParameters, draw_crop, draw_view
from sce_video.augment.recipes import ViewRecipe
from sce_video.clips.decoders import DecodeError, VideoMetadata, Videos
from sce_video.clips.frames import difference_pairs, frame_indices, frame_times
from sce_video.clips.samplers import one_random_span
from sce_video.runtime.seeds import generator_from

# A video and nine in its place: where ten in a row fail the path is wrong, not the videos.
_TRIES = 10


class VideoRequest(NamedTuple):
    """What the sampler asks of the data set; carrying the epoch lets workers persist over epochs."""

    epoch: int
    video: int


@dataclass(frozen=True)
class ClipFormat:
    """Length of a clip in the video, frames kept of it, side of the square it is resized to."""

    seconds: float
    num_frames: int
    size_pixels: int


class _PlannedClip(NamedTuple):
    """What is drawn for one view before anything is decoded."""

    kept: list[int]  # indices of the frames of the clip
    following: list[int]  # those whose difference stands for them; empty without temporal difference
    box: CropBox
    parameters: ViewParameters


class PretrainDataset(Dataset[VideoClips]):
    """One independent random clip per recipe from each video, all decoded in one pass over the file.

    A video that cannot be decoded is replaced by another, chosen by (seed, epoch, video), and reported. When all ten
    that were tried fail, the reports are all there is: an error raised in a loader process would reach the user as a
    traceback.
    """

    def __init__(self, videos: Videos, *, recipes: Sequence[ViewRecipe], clip_format: ClipFormat, seed: int) -> None:
        self._videos = videos
        self._recipes = tuple(recipes)
        self._format = clip_format
        self._seed = seed

    def __len__(self) -> int:
        return len(self._videos)

    def __getitem__(self, request: VideoRequest) -> VideoClips:
        failures: list[Failure] = []
        video = request.video
        for attempt in range(_TRIES):
            try:
                return VideoClips(video, self._clips(video, request), failures)
            except DecodeError as error:
                failures.append(Failure(video, str(error)))
                video = self._replacement(request, attempt)
        return VideoClips(request.video, (), failures)

    def _replacement(self, request: VideoRequest, attempt: int) -> int:
        generator = generator_from(self._seed, "replacement", request.epoch, request.video, attempt)
        return int(torch.randint(len(self), (), generator=generator).item())

    def _clips(self, video: int, request: VideoRequest) -> tuple[ClipForView, ...]:
        with self._videos.open(video) as opened:
            about = opened.metadata
            plans = [
                self._plan(about, recipe, generator_from(self._seed, request.epoch, request.video, view))
                for view, recipe in enumerate(self._recipes)
            ]
            wanted = [index for plan in plans for index in plan.kept + plan.following]
            frames = opened.frames_at(frame_times(wanted, fps=about.fps))  # all clips at once
        parts = frames.split([len(plan.kept + plan.following) for plan in plans])
        return tuple(self._cut(part, plan) for part, plan in zip(parts, plans, strict=True))

    def _plan(self, about: VideoMetadata, recipe: ViewRecipe, generator: torch.Generator) -> _PlannedClip:
        span = one_random_span(about.duration_seconds, self._format.seconds, generator=generator)
        parameters = draw_view(recipe, generator=generator)
        box = draw_crop(
            about.height, about.width, area=recipe.crop_area, aspect=recipe.crop_aspect, generator=generator
        )
        fps, num_video_frames, num_frames = about.fps, about.num_frames, self._format.num_frames
        if parameters.temporal_difference:
            pairs = difference_pairs(span, fps=fps, num_video_frames=num_video_frames, num_frames=num_frames)
            return _PlannedClip(*pairs, box, parameters)
        kept = frame_indices(span, fps=fps, num_video_frames=num_video_frames, num_frames=num_frames)
        return _PlannedClip(kept, [], box, parameters)

    def _cut(self, frames: Tensor, plan: _PlannedClip) -> ClipForView:
        cropped = _crop(frames, plan.box, self._format.size_pixels)
        kept, following = cropped[: len(plan.kept)], cropped[len(plan.kept) :]
        return ClipForView(kept, following if plan.following else None, plan.parameters)


def _crop(frames: Tensor, box: CropBox, size_pixels: int) -> Tensor:
    """Cut the box out of every frame and resize it, bilinear without antialiasing as SCE does for videos."""
    return TF.resized_crop(
        frames, *box, size=[size_pixels, size_pixels], interpolation=InterpolationMode.BILINEAR, antialias=False
    )
