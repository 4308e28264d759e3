"""Pretraining data set: cropped uint8 clips and augmentation parameters, a function of (seed, epoch, video, view)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sce_video.augment.batch import ClipForView, Failure, VideoClips
from sce_video.augment.crop import CropBox
from sce_video.augment.draw import ViewParameters, draw_view
from sce_video.augment.recipes import ViewSpec
from sce_video.clips.decoders import CropRequest, DecodeError, VideoMetadata, Videos
from sce_video.clips.frames import ClipSpan, Positions, difference_pairs, frame_indices, frame_times, uniform_positions
from sce_video.clips.samplers import SpanSampler, independent_spans, negative_spans, random_clip_seconds
from sce_video.runtime.seeds import generator_from

# A video and nine replacements: if ten in a row fail, the path is wrong, not the videos.
_TRIES = 10


class VideoRequest(NamedTuple):
    """Index of a video, with the epoch, so that workers persist over epochs."""

    epoch: int
    video: int


@dataclass(frozen=True)
class ClipSampling:
    """How the clips of all views are sampled from a video.

    `spans` draws their spans, whose lengths `speeds` and `duration_jitter` vary (see `random_clip_seconds`);
    `positions` makes the choice of frames from the view's generator. The last `num_negatives` views are negatives of
    the others: their clips overlap none of the others', or are anywhere if one has no room for that.
    """

    spans: SpanSampler = independent_spans
    speeds: tuple[float, ...] = (1.0,)
    duration_jitter: float = 0.0
    positions: Callable[[torch.Generator], Positions] = lambda generator: uniform_positions
    num_negatives: int = 0


class _PlannedClip(NamedTuple):
    """What is drawn for one view before decoding."""

    kept: list[int]  # indices of the frames of the clip
    successors: list[int]  # indices of the frames to subtract; empty without temporal difference
    box: CropBox
    parameters: ViewParameters


class Clips(Protocol):
    """Loads the clips of the videos of a batch."""

    def load_all(self, requests: Sequence[VideoRequest]) -> list[VideoClips]: ...


class TrainDataset(Dataset[VideoClips]):
    """One random clip per view from each video, all decoded in one pass over the file.

    A video that cannot be decoded is reported, and replaced by another chosen by (seed, epoch, video). If ten in a row
    fail, the result has failures but no clips: an exception in a loader process would reach the user as a traceback.

    Args:
        part: indices of the videos of this data set, if it has only some.
    """

    def __init__(
        self,
        videos: Videos,
        *,
        views: Sequence[ViewSpec],
        seed: int,
        sampling: ClipSampling = ClipSampling(),
        part: range | None = None,
    ) -> None:
        self._videos = videos
        self._views = tuple(views)
        self._sampling = sampling
        self._seed = seed
        self.part = range(len(videos)) if part is None else part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, request: VideoRequest) -> VideoClips:
        (memory,) = self.memory_for(1)
        return self.load(request, memory)

    def memory_for(self, num_videos: int) -> list[list[Tensor]]:
        """Memory for the V clips of each video, uint8 (T, H, W, C); the clips of a view are contiguous."""
        of_views = [torch.empty(num_videos, *view.clip_shape, dtype=torch.uint8).unbind() for view in self._views]
        return [list(of_video) for of_video in zip(*of_views, strict=True)]

    def load_all(self, requests: Sequence[VideoRequest]) -> list[VideoClips]:
        """Load the videos of a batch, in memory of their own."""
        return list(map(self.load, requests, self.memory_for(len(requests))))

    def load(self, request: VideoRequest, memory: Sequence[Tensor]) -> VideoClips:
        """Load one video, and write its clips into `memory` from `memory_for`."""
        failures: list[Failure] = []
        video = request.video
        for attempt in range(_TRIES):
            try:
                clips, has_negatives = self._clips(video, request, memory)
                return VideoClips(video, clips, failures, has_negatives)
            except DecodeError as error:
                failures.append(Failure(video, str(error)))
                video = self._replacement(request, attempt)
        return VideoClips(request.video, (), failures)

    def _replacement(self, request: VideoRequest, attempt: int) -> int:
        generator = generator_from(self._seed, "replacement", request.epoch, request.video, attempt)
        return self.part[int(torch.randint(len(self), (), generator=generator).item())]

    def _clips(
        self, video: int, request: VideoRequest, memory: Sequence[Tensor]
    ) -> tuple[tuple[ClipForView, ...], bool]:
        """The clip of each view, and whether those of negative views overlap none of the others."""
        generators = [
            generator_from(self._seed, request.epoch, request.video, view) for view in range(len(self._views))
        ]
        with self._videos.open(video) as opened:
            metadata = opened.metadata
            spans, has_negatives = self._spans(metadata.duration_seconds, generators)
            plans = [
                self._plan(metadata, span, view, generator)
                for span, view, generator in zip(spans, self._views, generators, strict=True)
            ]
            times = [frame_times(plan.kept + plan.successors, fps=metadata.fps) for plan in plans]
            requests = [CropRequest(each, plan.box) for each, plan in zip(times, plans, strict=True)]
            crops = opened.crops_at(requests)
        return tuple(map(_clip_for_view, crops, plans, self._views, memory)), has_negatives

    def _spans(self, video_seconds: float, generators: Sequence[torch.Generator]) -> tuple[list[ClipSpan], bool]:
        """The span of each view, and whether those of negative views overlap none of the others."""
        seconds = [
            random_clip_seconds(
                view.seconds,
                video_seconds=video_seconds,
                speeds=self._sampling.speeds,
                jitter=self._sampling.duration_jitter,
                generator=generator,
            )
            for view, generator in zip(self._views, generators, strict=True)
        ]
        num_others = len(self._views) - self._sampling.num_negatives
        spans = self._sampling.spans(video_seconds, seconds[:num_others], generators=generators[:num_others])
        negatives, has_negatives = negative_spans(
            video_seconds, seconds[num_others:], others=spans, generators=generators[num_others:]
        )
        return [*spans, *negatives], has_negatives

    def _plan(
        self, metadata: VideoMetadata, span: ClipSpan, view: ViewSpec, generator: torch.Generator
    ) -> _PlannedClip:
        parameters = draw_view(view.recipe, generator=generator)
        box = view.recipe.crop.draw(metadata.height, metadata.width, generator=generator)
        choose = difference_pairs if parameters.temporal_difference else _without_successors
        kept, successors = choose(
            span,
            fps=metadata.fps,
            num_video_frames=metadata.num_frames,
            num_frames=view.num_frames,
            positions=self._sampling.positions(generator),
        )
        return _PlannedClip(kept, successors, box, parameters)


@dataclass(frozen=True)
class JointDataset:
    """Data sets of parts of the same videos, each with views of its own; all videos of a batch are of one part."""

    datasets: Sequence[TrainDataset]

    def load_all(self, requests: Sequence[VideoRequest]) -> list[VideoClips]:
        (dataset,) = (each for each in self.datasets if requests[0].video in each.part)
        return dataset.load_all(requests)


def _clip_for_view(crop: Tensor, plan: _PlannedClip, view: ViewSpec, memory: Tensor) -> ClipForView:
    clip = memory.permute(0, 3, 1, 2)  # (T, C, H, W)
    resize = partial(_resize, antialiased=view.antialiased_resize)
    resize(crop[: len(plan.kept)], clip)
    successors = resize(crop[len(plan.kept) :], torch.empty_like(clip)) if plan.successors else None
    return ClipForView(clip, successors, plan.parameters)


def _resize(frames: Tensor, out: Tensor, *, antialiased: bool) -> Tensor:
    """`F.interpolate` (bilinear) with an `out`."""
    aten = torch.ops.aten
    upsample = aten._upsample_bilinear2d_aa if antialiased else aten.upsample_bilinear2d
    resized: Tensor = upsample.out(frames, out.shape[-2:], False, None, None, out=out)
    return resized


def _without_successors(
    span: ClipSpan, *, fps: float, num_video_frames: int, num_frames: int, positions: Positions
) -> tuple[list[int], list[int]]:
    """As `difference_pairs`, for a clip without temporal difference."""
    kept = frame_indices(span, fps=fps, num_video_frames=num_video_frames, num_frames=num_frames, positions=positions)
    return kept, []
