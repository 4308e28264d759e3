"""Backbone weights in files: written as safetensors, read from those, from checkpoints and from run folders."""

from pathlib import Path

import safetensors
from safetensors.torch import save
from torch import Tensor, nn

from sce_video.errors import CheckpointError
from sce_video.runtime.checkpoints import CheckpointFolder, load_checkpoint
from sce_video.runtime.files import atomic_path

CHECKPOINTS_DIR = "checkpoints"
BACKBONE_FILE = "backbone.safetensors"
_PREFIX = "backbone."


def save_backbone(backbone: nn.Module, path: Path, *, name: str, step: int) -> None:
    """Write a backbone's weights; its name and the steps it was trained for go along."""
    state = {key: value.detach().cpu().contiguous() for key, value in backbone.state_dict().items()}
    with atomic_path(path) as partial:
        partial.write_bytes(save(state, metadata={"backbone": name, "step": str(step)}))


def load_backbone(backbone: nn.Module, path: Path, *, name: str) -> str:
    """Fill a backbone with weights; every tensor must be there and fit.

    Args:
        path: a run's folder, a checkpoint (.pt) or a backbone (.safetensors).
        name: of the backbone, which must be that of the file.
    Returns:
        What was loaded, in words.
    Raises:
        CheckpointError: no such file, damaged, another backbone, tensors missing or left over.
    """
    file = _newest_file(path) if path.is_dir() else path
    state, stored_name, step = _read(file)
    if stored_name != name:
        raise CheckpointError(f"{file} holds the backbone {stored_name}; MODEL.BACKBONE is {name}")
    expected = {key: value.shape for key, value in backbone.state_dict().items()}
    unfit = [key for key, shape in expected.items() if key not in state or state[key].shape != shape]
    unknown = [key for key in state if key not in expected]
    if unfit or unknown:
        example = (unfit + unknown)[0]
        raise CheckpointError(
            f"{file}: {len(unfit)} of {len(expected)} tensors of {name} are missing or of another shape and "
            f"{len(unknown)} are unknown, for example {example}"
        )
    backbone.load_state_dict(state)
    return f"{len(expected)} tensors of {name} after {step} steps from {file}"


def _newest_file(folder: Path) -> Path:
    checkpoints = CheckpointFolder(folder / CHECKPOINTS_DIR, num_kept=1)
    newest = [checkpoints.path(step) for step in checkpoints.steps()[-1:]]
    for file in [folder / BACKBONE_FILE, *newest]:
        if file.is_file():
            return file
    raise CheckpointError(f"{folder} holds neither {BACKBONE_FILE} nor {CHECKPOINTS_DIR}/; has the run saved anything?")


def _read(file: Path) -> tuple[dict[str, Tensor], str, str]:
    """Tensors by the backbone's own names, name of the backbone, steps trained."""
    if file.suffix == ".safetensors":
        return _read_safetensors(file)
    state = load_checkpoint(file)
    if not {"model", "backbone", "step"} <= state.keys():
        raise CheckpointError(f"{file} is not a checkpoint of this toolkit (no model, backbone and step in it)")
    tensors = {key.removeprefix(_PREFIX): value for key, value in state["model"].items() if key.startswith(_PREFIX)}
    return tensors, state["backbone"], str(state["step"])


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], str, str]:
    if not file.is_file():
        raise CheckpointError(f"{file} does not exist")
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            about = opened.metadata() or {}
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} cannot be read ({error})") from error
    return tensors, about.get("backbone", "of unknown name"), about.get("step", "an unknown number of")
