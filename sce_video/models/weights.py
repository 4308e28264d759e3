"""Backbone weights in files: written as safetensors; read from safetensors, checkpoints and run folders."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import torch
from safetensors.torch import save
from torch import Tensor, nn

from sce_video.errors import CheckpointError, reason_of
from sce_video.models.base import Backbone, NetworkInput, recorded_input
from sce_video.models.inflation import INFLATED, inflated
from sce_video.models.norms import NormNumbers, norm_record, recorded_norm_numbers, set_norm_numbers
from sce_video.models.representation import REPRESENTATIONS, RGB, with_blind_differences
from sce_video.models.timm_network import TIMM_PREFIX
from sce_video.runtime.checkpoints import CheckpointFolder, load_checkpoint, require_finite
from sce_video.runtime.files import atomic_path

CHECKPOINTS_DIR = "checkpoints"
BACKBONE_FILE = "backbone.safetensors"
_PREFIX = "backbone."


class BackboneWeights(NamedTuple):
    """Weights of a backbone by parameter name, with their record and source."""

    tensors: dict[str, Tensor]
    backbone: str
    step: str
    input: NetworkInput | None  # of the training; None if it is not recorded
    batch_norm: NormNumbers | None  # None: those of the network
    source: Path
    num_others: int = 0  # tensors of the file that belong to other parts of the model

    @property
    def representation(self) -> str:
        """What the network sees; RGB if it is not recorded."""
        return RGB if self.input is None else self.input.representation


def save_backbone(backbone: Backbone, path: Path | str, *, name: str, step: int) -> None:
    """Write a backbone's weights, with its name, number of training steps, input and batch-norm numbers."""
    path = Path(path)
    state = {key: value.detach().cpu().contiguous() for key, value in backbone.state_dict().items()}
    about = {
        "backbone": name,
        "step": str(step),
        "network_input": str(backbone.input),
        "batch_norm": norm_record(backbone),
    }
    with atomic_path(path) as partial:
        partial.write_bytes(save(state, metadata=about))


def load_backbone(
    backbone: Backbone, path: Path | str, *, name: str, inflation: str = "none", converts_rgb: bool = False
) -> BackboneWeights:
    """Load weights into a backbone, with the batch-norm numbers that they were trained with.

    Every tensor must be present and match in shape, and the network must see what it saw in training.

    Args:
        path: a run's folder, a checkpoint (.pt) or a backbone (.safetensors).
        name: of the backbone; it must match the file's.
        inflation: "center" or "mean": the file has the image network that belongs to this backbone (inflation.py).
        converts_rgb: weights of a network for RGB are taken for every representation; kernels of added channels are
            zeros.
    Returns:
        The loaded weights.
    Raises:
        CheckpointError: the file is missing, damaged, of another backbone or of another representation, or tensors
            are missing or unknown.
    """
    path = Path(path)
    weights = _read(path)
    _require_backbone(weights, name, inflation)
    _require_representation(weights, backbone.input.representation, converts_rgb=converts_rgb)
    expected = backbone.state_dict()
    if inflation == "none":
        state = backbone.current_names(weights.tensors)
    else:
        state = inflated(weights.tensors, expected, how=inflation)
    if weights.representation == RGB:
        num_channels = REPRESENTATIONS[backbone.input.representation].num_channels
        state = with_blind_differences(state, backbone, num_channels=num_channels)
    unfit = [key for key, value in expected.items() if key not in state or not _fits(state[key], value)]
    unknown = [key for key in state if key not in expected]
    if unfit or unknown:
        example = (unfit + unknown)[0]
        raise CheckpointError(
            f"{path}: {len(unfit)} of {len(expected)} tensors of {name} are missing or of another shape or type and "
            f"{len(unknown)} are unknown, for example {example}"
        )
    backbone.load_state_dict(state)
    if weights.batch_norm is not None:
        set_norm_numbers(backbone, weights.batch_norm)
    return weights


def _require_backbone(weights: BackboneWeights, name: str, inflation: str) -> None:
    expected, found = name if inflation == "none" else INFLATED[name], weights.backbone
    if found != expected:
        setting = f"MODEL.INFLATION {inflation} needs" if inflation != "none" else "MODEL.BACKBONE is"
        fix = "; MODEL.INFLATION center or mean inflates it" if found == INFLATED.get(name) else ""
        raise CheckpointError(f"{weights.source} has the backbone {found[:60]}, but {setting} {expected}{fix}")


def _require_representation(weights: BackboneWeights, expected: str, *, converts_rgb: bool) -> None:
    found = weights.representation
    if found != expected and not (converts_rgb and found == RGB):
        raise CheckpointError(
            f"{weights.source} was trained on {REPRESENTATIONS[found].words}, but MODEL.REPRESENTATION is {expected}; "
            f"set MODEL.REPRESENTATION {found}"
        )


def _fits(value: Tensor, expected: Tensor) -> bool:
    """Whether a tensor can be loaded: precision may differ, but not kind, which torch would cast silently."""
    same_kind = value.is_floating_point() == expected.is_floating_point() and not value.is_complex()
    return same_kind and value.shape == expected.shape


def weights_digest(module: nn.Module) -> str:
    """SHA-256 of a module's state: names, types and values of all tensors, and its batch-norm numbers."""
    digest = hashlib.sha256(norm_record(module).encode())
    for name, value in module.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _read(path: Path) -> BackboneWeights:
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if (path / BACKBONE_FILE).is_file():
        return _read_safetensors(path / BACKBONE_FILE)
    if path.is_dir():
        state = CheckpointFolder(path / CHECKPOINTS_DIR, num_kept=1).load_newest()
        if state is None:
            raise CheckpointError(
                f"{path} has neither {BACKBONE_FILE} nor {CHECKPOINTS_DIR}/; has the run saved a checkpoint yet?"
            )
        return _from_checkpoint(state, path)
    return _from_checkpoint(load_checkpoint(path), path)


def _from_checkpoint(state: dict[str, Any], path: Path) -> BackboneWeights:
    kinds = {"model": dict, "backbone": str, "step": int, "network_input": str}
    if any(not isinstance(state.get(name), kind) for name, kind in kinds.items()):
        raise CheckpointError(f"{path} is not a checkpoint of this toolkit (no model, backbone and step in it)")
    tensors = {key.removeprefix(_PREFIX): value for key, value in state["model"].items() if key.startswith(_PREFIX)}
    name = state["backbone"]
    records = _records(state["network_input"], state.get("batch_norm"), name, path)
    return BackboneWeights(tensors, name, str(state["step"]), *records, path, len(state["model"]) - len(tensors))


def _read_safetensors(file: Path) -> BackboneWeights:
    if not file.is_file():
        raise CheckpointError(f"{file} does not exist")
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            about = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
        require_finite(tensors)
    except Exception as error:  # a damaged file may raise anything
        raise CheckpointError(f"{file} cannot be read ({reason_of(error)})") from error
    name, step = about.get("backbone", "unknown"), about.get("step", "unknown")
    records = _records(about.get("network_input"), about.get("batch_norm"), name, file)
    return BackboneWeights(tensors, name, step, *records, file)


def _records(
    network_input: str | None, batch_norm: str | None, backbone: str, path: Path
) -> tuple[NetworkInput | None, NormNumbers | None]:
    try:
        read = None if network_input is None else recorded_input(network_input)
        # timm's networks are built with the right ones.
        is_timms = batch_norm is None and backbone.startswith(TIMM_PREFIX)
        return read, None if is_timms else recorded_norm_numbers(batch_norm, backbone=backbone)
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be used: {error}") from error
