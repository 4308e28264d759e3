"""What queries and keys look like, without labels: spread, rank, similarities, and the chance levels of the loss."""

import torch
from torch import Tensor

from sce_video.methods.base import Compared, Method
from sce_video.methods.queue_method import QueueMethod
from sce_video.runtime.logging import LOGGER
from sce_video.train.probes.base import Probe, Seen

# For the rank and the spread: those of the step, and if they are fewer the newest of the queue.
_MOST_KEYS = 512
_EPSILON = 1e-7  # RankMe's


def effective_rank(vectors: Tensor) -> float:
    """RankMe: the exponential of the entropy of the singular values' shares (arXiv:2210.02885); (n, D), n >= 1.

    Between 1 (all on one line) and min(n, D); 1e-7 is added to each share, as in the paper.
    """
    wide = vectors.double()
    gram = wide.T @ wide if len(wide) > wide.shape[1] else wide @ wide.T
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    shares = singular / singular.sum().clamp(min=torch.finfo(torch.double).tiny) + _EPSILON
    return float((-(shares * shares.log()).sum()).exp())


def similarity_scalars(compared: Compared) -> dict[str, Tensor]:
    """Mean cosine of queries with their own key, and with the keys of the batch's other videos."""
    similarities = compared.query @ compared.keys[compared.own].T  # (B, B)
    own = similarities.diagonal()
    others = (similarities.sum() - own.sum()) / max(1, similarities.numel() - len(own))
    return {"positive_similarity": own.mean(), "negative_similarity": others}


def relation_scalars(method: Method, compared: Compared, at: dict[str, float]) -> dict[str, Tensor]:
    """The target's entropy, what it and the query put on the own key, and the loss with chance levels of its own kind.

    `loss_chance` is that of equal similarities. `loss_mismatched` is the loss of each query with another video's key
    for its own: what a query that knows nothing of its video would get, with similarities as spread as they are.
    """
    relations = method.relations(compared, at=at)
    if relations is None:
        return {}
    target, shares = relations.target, relations.logits.softmax(dim=1)
    scalars = {
        "loss_chance": relations.chance_loss(),
        "target_entropy": -torch.special.xlogy(target, target).sum(dim=1).mean(),
    }
    if relations.own_column is not None:
        column = relations.own_column[:, None]
        scalars["target_on_positive"] = target.gather(1, column).mean()
        scalars["query_on_positive"] = shares.gather(1, column).mean()
    if len(compared.own) > 1:
        mismatched = method.relations(compared._replace(own=compared.own.roll(1)), at=at)
        assert mismatched is not None
        scalars["loss_mismatched"] = mismatched.loss()
    return scalars


class Embeddings(Probe):
    """Measures the last part of every step that is due, on the main process's videos; keys are those of all ranks.

    `key_rank` and `key_std` (mean over dimensions; 1 / sqrt(D) for uniform unit vectors, 0 for a constant) are of up to
    512 keys, those of the step and the newest of the queue. `share_with_negatives`: of the videos with clips of other
    times (CLIP.NUM_NEGATIVES); a warning says once if there are none.

    Args:
        every_steps: steps between measurements.
    """

    def __init__(self, *, every_steps: int) -> None:
        self._every_steps = every_steps
        self._scalars: dict[str, Tensor] = {}
        self._keys: Tensor | None = None
        self._has_warned = False

    @torch.no_grad()
    def look(self, seen: Seen) -> None:
        compared = seen.method.compared
        if seen.step % self._every_steps or compared is None:
            return
        self._scalars = {
            **similarity_scalars(compared),
            **relation_scalars(seen.method, compared, dict(seen.rates.method)),
        }
        is_of_videos = compared.negatives is not None and seen.parts[-1].views[0].clips.shape[1] > 1
        if compared.negatives is not None and is_of_videos:  # an image has no other time
            self._scalars["share_with_negatives"] = compared.negatives.isfinite().any(dim=1).float().mean()
        if seen.method.CHANCE_LOSS is not None:
            self._scalars["loss_chance"] = compared.query.new_tensor(seen.method.CHANCE_LOSS)
        self._keys = _recent_keys(seen, compared)

    def read(self) -> dict[str, float]:
        keys, self._keys = self._keys, None
        if keys is None:
            return {}
        values = torch.stack([each.float() for each in self._scalars.values()]).tolist()  # waits for the device once
        keys, scalars = keys.cpu(), dict(zip(self._scalars, values, strict=True))
        if scalars.get("share_with_negatives") == 0 and not self._has_warned:
            self._has_warned = True
            LOGGER.warning(
                "CLIP.NUM_NEGATIVES has no effect so far: these videos have no room for clips beside their views; "
                "shorten CLIP.SECONDS, or let the views be near (CLIP.PAIR distance)"
            )
        return {
            **scalars,
            "key_rank": effective_rank(keys),
            "key_std": float(keys.std(dim=0).mean()),
            "embedding_dim": keys.shape[1],
        }


def _recent_keys(seen: Seen, compared: Compared) -> Tensor:
    """The keys of the step, and the newest of the queue without its random vectors, (n, D)."""
    keys, method = compared.keys[:_MOST_KEYS], seen.method
    if not isinstance(method, QueueMethod):
        return keys
    num_enqueued = seen.step * method.num_waiting_keys
    return torch.cat([keys, method.queue.newest(min(num_enqueued, _MOST_KEYS - len(keys)))])
