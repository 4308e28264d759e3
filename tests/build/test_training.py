"""Training runs from the config: the record in their checkpoints, batch norm, precision."""

from pathlib import Path

import pytest
import torch
from fvcore.common.config import CfgNode
from torch import nn

from sce_video.build.training import backbone_of, build_precision, to_device
from sce_video.config import load_config
from sce_video.config.same_run import config_record, recorded_config
from sce_video.errors import UserError
from sce_video.models.channels_last import channels_last
from sce_video.runtime.seeds import seed_everything
from sce_video.tasks.pretrain import build_pretrain_run
from sce_video.train.loop import Run
from sce_video.train.precision import Precision

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
CPU = torch.device("cpu")


def config(videos: Path, output_dir: Path, *overrides: str) -> CfgNode:
    paths = ["DATA.ROOT", str(videos), "RUN.OUTPUT_DIR", str(output_dir), "DATA.NUM_WORKERS", "0"]
    small = ["CLIP.SECONDS", "0.5", "CLIP.NUM_FRAMES", "2", "METHOD.QUEUE_LENGTH", "8", "TRAIN.GLOBAL_BATCH_SIZE", "8"]
    return load_config(CONFIG, shared=[*paths, *small, *overrides])


def begun(cfg: CfgNode) -> Run:
    return build_pretrain_run(cfg, CPU, config_record(cfg))


@pytest.fixture(scope="module")
def run(motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    output_dir = tmp_path_factory.mktemp("run")
    return begun(config(motion_videos, output_dir, "TRAIN.NUM_CHECKPOINTS_KEPT", "2"))


def test_batch_norm_is_not_synchronised_on_a_cpu() -> None:
    norm = nn.BatchNorm3d(2)
    assert type(to_device(load_config(CONFIG), nn.Sequential(norm), CPU)[0]) is nn.BatchNorm3d


@pytest.mark.usefixtures("second_process")
def test_batch_norm_is_synchronised_over_several_gpus() -> None:
    """Without a GPU: nothing is moved or computed."""

    class Elsewhere(nn.BatchNorm3d):
        def to(self, *_: object) -> "Elsewhere":
            return self

    cfg = load_config(CONFIG)
    assert isinstance(to_device(cfg, Elsewhere(2), torch.device("cuda")), nn.SyncBatchNorm)
    assert type(to_device(cfg, nn.BatchNorm3d(2), CPU)) is nn.BatchNorm3d


@pytest.mark.parametrize("speed", ["plain", "channels_last"])
def test_the_form_of_the_network_is_the_config_s(speed: str) -> None:
    convolution = to_device(load_config(CONFIG, ["TRAIN.SPEED", speed]), nn.Conv3d(2, 2, 3), CPU)
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last_3d) == (speed == "channels_last")


def test_the_first_step_in_channels_last_memory_is_the_plain_one(motion_videos: Path, tmp_path: Path) -> None:
    losses, weights = [], []
    for speed in ("plain", "channels_last"):
        seed_everything(0)
        run = begun(config(motion_videos, tmp_path, "TRAIN.SPEED", speed, "OPTIM.NAME", "sgd"))
        ((_, parts),) = run.loader.batches_from(0, num_steps=1)
        losses.append(run.take_step(parts, run.schedules.at(run.plan.steps_per_epoch), step=0))
        weights.append(backbone_of(run.model).state_dict())
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=0)
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-2, atol=1e-4)


def test_the_precision_is_the_config_s() -> None:
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        cfg = load_config(CONFIG, ["TRAIN.PRECISION", name])
        with build_precision(cfg, nn.Linear(2, 2), CPU).autocast():
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is dtype


def test_the_precision_is_tried_on_the_network_s_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    """And for no more frames than a clip has: images, and temporal kernels as 2D ones, are not refused for them."""
    tried = []

    def gradient_error(self: Precision, num_frames: int, kernel: tuple[int, ...]) -> float:
        tried.append((num_frames, kernel))
        return 1.0 if (num_frames, kernel) == (2, (3, 1, 1)) else 0.0

    monkeypatch.setattr(Precision, "_gradient_error", gradient_error)
    cfg = load_config(CONFIG, ["TRAIN.PRECISION", "bf16"])  # 8 frames
    network = nn.Sequential(nn.Conv3d(2, 2, (3, 1, 1)), nn.Conv3d(2, 2, (1, 5, 5)))
    with pytest.raises(UserError, match=r"2 frames, kernel \(3, 1, 1\)\); use fp32, or TRAIN.SPEED channels_last"):
        build_precision(cfg, network, CPU)
    build_precision(load_config(CONFIG, ["TRAIN.PRECISION", "bf16", "CLIP.NUM_FRAMES", "1"]), network, CPU)
    tried.clear()
    build_precision(cfg, channels_last(network), CPU)
    assert tried == [(num_frames, (1, 5, 5)) for num_frames in (1, 2, 4, 8)]


def test_the_record_of_a_checkpoint_identifies_its_run(run: Run, motion_videos: Path) -> None:
    record = run.record
    assert (record["backbone"], record["decoder"]) == ("r2plus1d_mini", "pyav")
    assert record["labels"] == ""  # pretraining uses none
    assert recorded_config(record["config"])["METHOD.QUEUE_LENGTH"] == 8
    assert len(record["videos"]) == 64
    assert record["environment"]["torch"]
    assert run.config.num_epochs_of(record["config"]) == 34


def test_differences_from_another_run_are_listed(run: Run, motion_videos: Path, tmp_path: Path) -> None:
    other = begun(config(motion_videos, tmp_path, "METHOD.TEMPERATURE", "0.3", "RUN.SEED", "7"))
    assert run.config.changed_keys(run.record["config"]) == ""
    assert run.config.changed_keys(other.record["config"]) == "METHOD.TEMPERATURE, RUN.SEED"


def test_folders_and_names_are_the_config_s(run: Run) -> None:
    assert run.checkpoints.folder == run.output_dir / "checkpoints"
    assert run.plan.steps_per_epoch == run.loader.steps_per_epoch == 3  # 24 videos
    assert str(run.name_video(0)).endswith(".mp4")
