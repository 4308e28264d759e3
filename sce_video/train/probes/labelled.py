"""Online kNN and online linear probe: what the backbone's features say about labels while it trains without them."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sce_video.engine.cluster.collectives import all_gathered
from sce_video.train.probes.base import Probe, Seen

_LEARNING_RATE = 1e-4  # of Adam
_NUM_NEIGHBORS, _TEMPERATURE = 20, 0.07  # arXiv:1805.01978, as in the evaluation
NO_LABEL = -1


class Neighbors:
    """The newest features of labelled videos, in a ring, and the class that the nearest of other videos vote for."""

    def __init__(self, size: int, feature_dim: int, *, device: torch.device) -> None:
        self.features = torch.zeros(size, feature_dim, device=device)  # unit vectors
        self.labels = torch.zeros(size, dtype=torch.int64, device=device)
        self.videos = torch.full((size,), -1, device=device)
        self.num_added = 0

    def classes_of(self, features: Tensor, videos: Tensor, *, num_classes: int) -> Tensor:
        """The class of each feature, int64 (B,); its own video, seen before, has no vote."""
        filled = min(self.num_added, len(self.labels))
        similarities = F.normalize(features) @ self.features[:filled].T  # (B, filled)
        similarities = similarities.masked_fill(videos[:, None] == self.videos[:filled], float("-inf"))
        nearest = similarities.topk(min(_NUM_NEIGHBORS, filled), dim=1)
        weights = (nearest.values / _TEMPERATURE).softmax(dim=1)
        votes = weights.new_zeros(len(features), num_classes).scatter_add_(1, self.labels[nearest.indices], weights)
        return votes.argmax(dim=1)

    def add(self, features: Tensor, labels: Tensor, videos: Tensor) -> None:
        size = len(self.labels)
        features, labels, videos = features[:size], labels[:size], videos[:size]
        slots = (self.num_added + torch.arange(len(labels), device=labels.device)) % size
        self.features[slots], self.labels[slots], self.videos[slots] = F.normalize(features), labels, videos
        self.num_added += len(labels)


class Labelled(Probe):
    """`online_knn` and `online_linear`: share of right classes since the last line; `online_chance`: the largest class.

    Both use the backbone's features of one training view of every labelled video, as the step has computed them, and
    predict before they learn. Each rank has its own, of its own videos; checkpoints have those of the main process.

    Args:
        labels: of all videos that batches may have, -1 for none; at least one has a label.
        num_videos: whose features the kNN keeps.
    """

    def __init__(
        self, labels: Sequence[int], backbone: nn.Module, *, feature_dim: int, num_videos: int, device: torch.device
    ) -> None:
        self._labels = torch.tensor(labels)
        known = self._labels[self._labels != NO_LABEL]
        self._num_classes = int(known.max()) + 1
        self._chance = float(known.bincount().max() / len(known))
        self._neighbors = Neighbors(num_videos, feature_dim, device=device)
        self._weight = torch.zeros(self._num_classes, feature_dim, device=device, requires_grad=True)
        self._bias = torch.zeros(self._num_classes, device=device, requires_grad=True)
        self._adam = torch.optim.Adam([self._weight, self._bias], lr=_LEARNING_RATE)
        self._right = torch.zeros(2, device=device)  # of kNN and linear, since the last line
        self._num_asked = [0, 0]
        self._outputs: list[Tensor] = []  # of the backbone in this step
        backbone.register_forward_hook(self._keep)

    def _keep(self, backbone: nn.Module, _: Any, features: Tensor) -> None:
        if torch.is_grad_enabled():  # not those of another probe
            self._outputs.append(features.detach())

    def look(self, seen: Seen) -> None:
        outputs, self._outputs = self._outputs, []
        views_of_part = len(outputs) // len(seen.parts)
        for index, part in enumerate(seen.parts):
            labels = self._labels[part.videos]
            rows = (labels != NO_LABEL).nonzero().flatten()
            if len(rows):
                features = outputs[index * views_of_part][: len(part.videos)].float()
                device = features.device
                if len(rows) < len(labels):
                    features = features[rows.to(device)]
                videos = torch.tensor(part.videos)[rows].to(device, non_blocking=True)
                self._learn(features, labels[rows].to(device, non_blocking=True), videos)

    def _learn(self, features: Tensor, labels: Tensor, videos: Tensor) -> None:
        if self._neighbors.num_added >= _NUM_NEIGHBORS:
            classes = self._neighbors.classes_of(features, videos, num_classes=self._num_classes)
            self._count(0, classes == labels)
        self._neighbors.add(features, labels, videos)
        logits = F.linear(features, self._weight, self._bias)
        self._count(1, logits.detach().argmax(dim=1) == labels)
        self._adam.zero_grad()
        F.cross_entropy(logits, labels).backward()
        self._adam.step()

    def _count(self, which: int, right: Tensor) -> None:
        self._right[which] += right.sum()
        self._num_asked[which] += len(right)

    def read(self) -> dict[str, float]:
        counted = all_gathered((self._right.tolist(), self._num_asked))
        self._right.zero_()
        self._num_asked = [0, 0]
        right, asked = ([sum(each) for each in zip(*of_ranks, strict=True)] for of_ranks in zip(*counted, strict=True))
        shares = {name: r / n for name, r, n in zip(("online_knn", "online_linear"), right, asked, strict=True) if n}
        return {**shares, "online_chance": self._chance} if shares else {}

    def state_dict(self) -> dict[str, Any]:
        kept = self._neighbors
        return {
            "linear": [self._weight.detach(), self._bias.detach()],
            "adam": self._adam.state_dict(),
            "neighbors": [kept.features, kept.labels, kept.videos],
            "num_added": kept.num_added,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        kept = self._neighbors
        ours = [self._weight, self._bias, kept.features, kept.labels, kept.videos]
        theirs = [*state["linear"], *state["neighbors"]]
        if [each.shape for each in ours] != [each.shape for each in theirs]:
            raise ValueError("it had other classes, another number of videos or another backbone")
        self._adam.load_state_dict(state["adam"])
        kept.num_added = int(state["num_added"])
        with torch.no_grad():
            for own, other in zip(ours, theirs, strict=True):
                own.copy_(other)
