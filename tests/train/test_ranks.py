"""Training on several ranks: the same views, queue, loss and gradients as on one."""

from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from sce_video.augment.batch import TrainBatch
from sce_video.build.training import to_device
from sce_video.methods.sce import SCE
from sce_video.train.plan import Rates
from sce_video.train.precision import Precision
from sce_video.train.probes.base import Probes, Seen
from sce_video.train.probes.embeddings import Embeddings
from sce_video.train.probes.labelled import Labelled
from sce_video.train.probes.updates import Updates
from sce_video.train.step import Supervision, finetune_step, pretrain_step, replica_of
from tests.methods.still import still

CPU = torch.device("cpu")
GLOBAL_BATCH, NUM_STEPS, NUM_CLASSES = 8, 3, 5
# Measurements that do not depend on the number of ranks.
OF_ALL_RANKS = ("gradient_norm", "key_rank", "key_std", "queue_age_steps", "queue_random_share", "loss_chance")
RATES = Rates(lr=0.2, method={"coeff": 0.4, "temperature": 0.2, "target_temperature": 0.1, "ema_momentum": 0.9})


class Backbone(nn.Sequential):
    """A 3D convolution with batch norm, flattened."""

    def __init__(self) -> None:
        super().__init__(nn.Conv3d(3, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 6))


def method(*, in_batch_keys: bool, symmetric: bool) -> SCE:
    """In double; its batch norms use running statistics, which would otherwise be those of each rank's videos."""
    torch.manual_seed(0)
    model = SCE(
        backbone=Backbone(),
        projector=nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)),
        predictor=nn.Linear(5, 5),
        embedding_dim=5,
        queue_length=20,  # 3 steps of 16 keys: it wraps
        in_batch_keys=in_batch_keys,
        symmetric=symmetric,
        scheduled=still(RATES.method),
    )
    return model.double().eval()


def make_views(part: TrainBatch, *, device: torch.device = CPU, num_views: int = 2) -> list[Tensor]:
    """Views as a function of the video number, (B, C, T, H, W)."""
    draws = [
        torch.randn(num_views, 3, 2, 2, 4, dtype=torch.double, generator=torch.Generator().manual_seed(video))
        for video in part.videos
    ]
    return list(torch.stack(draws, dim=1).to(device))


def parts_of(step: int, *, num_parts: int, rank: int, num_ranks: int) -> list[TrainBatch]:
    """A step's videos on a rank: of each part an equal slice."""
    videos = torch.arange(step * GLOBAL_BATCH, (step + 1) * GLOBAL_BATCH).view(num_parts, num_ranks, -1)[:, rank]
    return [TrainBatch(videos=part, views=[], failures=[]) for part in videos.tolist()]


def pretrain(
    rank: int,
    num_ranks: int,
    *,
    in_batch_keys: bool,
    num_parts: int,
    symmetric: bool = True,
    num_views: int = 2,
    device: torch.device = CPU,
    before: dict[str, Any] | None = None,
    steps: tuple[int, int] = (0, NUM_STEPS),
) -> dict[str, Any]:
    """`steps` of a run, resumed from `before`."""
    model = method(in_batch_keys=in_batch_keys, symmetric=symmetric)
    if device != CPU:
        model = to_device(model, device).train()
    replica = replica_of(model, device)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.0, momentum=0.9)
    if before is not None:
        model.load_state_dict(before["state"])
        optimizer.load_state_dict(deepcopy(before["optimizer"]))  # what processes are given they share
    probes = Probes(
        {
            "updates": Updates(every_steps=1),
            "embeddings": Embeddings(every_steps=1),
            "labelled": Labelled([0, 1] * 50, model.backbone, feature_dim=6, num_videos=40, device=device),
        }
    )
    losses, gradients, measured = [], [], []
    for step in range(*steps):
        parts = parts_of(step, num_parts=num_parts, rank=rank, num_ranks=num_ranks)
        loss = pretrain_step(
            parts,
            RATES,
            look=lambda seen, step=step, parts=parts: probes.look(Seen(step, parts, RATES, seen)),
            replica=replica,
            optimizer=optimizer,
            precision=Precision("fp32", device),
            make_views=partial(make_views, device=device, num_views=num_views),
        )
        losses.append(loss)
        measured.append(probes.read())
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    result = {
        "losses": torch.stack(losses),
        "gradients": gradients,
        "measured": measured,
        "state": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    return tree_map_only(Tensor, Tensor.cpu, result)


def finetune(rank: int, num_ranks: int) -> dict[str, Any]:
    torch.manual_seed(0)
    classifier = nn.Sequential(Backbone(), nn.Linear(6, NUM_CLASSES)).double().eval()
    replica = replica_of(classifier, CPU)
    optimizer = torch.optim.SGD(classifier.parameters(), lr=0.0)
    losses = [
        finetune_step(
            parts_of(step, num_parts=2, rank=rank, num_ranks=num_ranks),
            Rates(lr=0.2, method=None),
            step=step,
            seed=0,
            replica=replica,
            optimizer=optimizer,
            precision=Precision("fp32", CPU),
            make_views=lambda part: make_views(part)[:1],
            supervision=Supervision(torch.arange(100) % NUM_CLASSES, NUM_CLASSES, label_smoothing=0.1, mixup_alpha=0.0),
        )
        for step in range(NUM_STEPS)
    ]
    return {"losses": torch.stack(losses), "state": classifier.state_dict()}


TRAININGS = {
    "queue": partial(pretrain, in_batch_keys=False, num_parts=1),
    "queue, two parts": partial(pretrain, in_batch_keys=False, num_parts=2),
    "keys of the batch": partial(pretrain, in_batch_keys=True, num_parts=1),
    "keys of the batch, two parts": partial(pretrain, in_batch_keys=True, num_parts=2),
    "one direction, a local view": partial(pretrain, in_batch_keys=True, num_parts=2, symmetric=False, num_views=3),
    "labels": finetune,
}
# With batch norm in training, over the videos of all ranks.
GPU_TRAININGS = {"norms": partial(pretrain, in_batch_keys=False, num_parts=2, device=torch.device("cuda"))}


def on_rank(rank: int, num_ranks: int, name: str, folder: str, more: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=num_ranks)
    try:
        torch.save((TRAININGS | GPU_TRAININGS)[name](rank, num_ranks, **more), f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


def on_ranks(num_ranks: int, name: str, folder: Path, **more: Any) -> list[dict[str, Any]]:
    folder.mkdir()
    start_method = (
        "spawn" if name in GPU_TRAININGS else "fork"
    )  # CUDA allows no fork; a new process imports for seconds
    multiprocessing.start_processes(
        on_rank, args=(num_ranks, name, str(folder), more), nprocs=num_ranks, join=True, start_method=start_method
    )
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(num_ranks)]


@pytest.mark.parametrize(
    "name",
    [
        *TRAININGS,
        # gloo, since NCCL needs a GPU for each rank
        pytest.param("norms", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")),
    ],
)
def test_loss_gradients_weights_and_queue_are_those_of_one_process(tmp_path: Path, name: str) -> None:
    alone = (TRAININGS | GPU_TRAININGS)[name](0, 1)
    exact = partial(torch.testing.assert_close, rtol=0, atol=1e-10)
    for num_ranks in (2, 4):
        ranks = on_ranks(num_ranks, name, tmp_path / str(num_ranks))
        exact(torch.stack([each["losses"] for each in ranks]).mean(dim=0), alone["losses"])
        for each in ranks:
            for key, value in alone["state"].items():
                exact(each["state"][key], value, msg=key)
            for ours, expected in zip(each.get("gradients", []), alone.get("gradients", []), strict=True):
                for gradient, other in zip(ours, expected, strict=True):
                    exact(gradient, other)
            for ours, expected in zip(each.get("measured", []), alone.get("measured", []), strict=True):
                assert {key: ours[key] for key in OF_ALL_RANKS} == pytest.approx(
                    {key: expected[key] for key in OF_ALL_RANKS}, rel=1e-5
                )
        linear = [[step.get("online_linear") for step in each.get("measured", [])] for each in ranks]
        assert all(each == linear[0] for each in linear)
        first = ranks[0]["state"]
        assert all(torch.equal(each["state"][key], first[key]) for each in ranks for key in first)  # to the bit
    assert alone["losses"].unique().numel() == NUM_STEPS


def test_a_run_resumes_with_another_number_of_ranks(tmp_path: Path) -> None:
    """A step on two, one on four, one on one."""
    alone = TRAININGS["queue"](0, 1)
    on_two = on_ranks(2, "queue", tmp_path / "2", steps=(0, 1))[0]
    on_four = on_ranks(4, "queue", tmp_path / "4", steps=(1, 2), before=on_two)[0]
    ours = TRAININGS["queue"](0, 1, steps=(2, 3), before=on_four)
    for key, value in alone["state"].items():
        torch.testing.assert_close(ours["state"][key], value, rtol=0, atol=1e-10, msg=key)
    torch.testing.assert_close(ours["losses"], alone["losses"][2:], rtol=0, atol=1e-10)
