"""Findings on versions, decoders that load, and the correctness of 3D convolutions in half precision."""

import platform
from collections.abc import Sequence
from importlib import metadata

import torch

from sce_video.clips.decoders import DECODERS, decoder_version
from sce_video.engine.doctor.finding import Finding, refusal
from sce_video.errors import UserError
from sce_video.train.precision import Precision

# pytorch #163539 (wrong in bf16), #166122 (slow), #166643 (memory); in cuDNN's own format: 9.8.0 is 90800.
_BAD_CUDNN = range(90800, 91500)


def software() -> list[Finding]:
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, torchvision {_version('torchvision')}"
    compiled = f"CUDA {torch.version.cuda or 'none'}, cuDNN {cudnn_text(torch.backends.cudnn.version())}"
    return [
        Finding("ok", "software", f"{versions}, {compiled}"),
        Finding("ok", "system", f"{platform.platform()}, {platform.machine()}"),
    ]


def gpus(names: Sequence[str], driver: str | None) -> list[Finding]:
    """`names` of the GPUs that torch can use; version of the `driver`, None if it is not loaded."""
    if names:
        return [Finding("ok", "GPU", f"{len(names)} x {names[0]}, driver {driver or 'unknown'}")]
    if driver is None:
        return [Finding("note", "GPU", "none here", "run this where the training will run (srun, or in the job)")]
    return [
        Finding(
            "problem",
            "GPU",
            f"NVIDIA's driver {driver} is loaded, but torch {torch.__version__} sees no GPU",
            "install a torch built for CUDA (pytorch.org), request a GPU from Slurm, or check CUDA_VISIBLE_DEVICES",
        )
    ]


def cudnn_text(version: int | None) -> str:
    """cuDNN's version as text: 91002 -> "9.10.2"; before 9 it is packed differently: 8902 -> "8.9.2"."""
    if version is None:
        return "none"
    major, rest = divmod(version, 10000 if version >= 90000 else 1000)
    return f"{major}.{rest // 100}.{rest % 100}"


def conv3d_release(torch_version: str, cudnn_version: int | None) -> list[Finding]:
    """Finding on combinations of torch and cuDNN with known faults in 3D convolutions."""
    if cudnn_version not in _BAD_CUDNN:
        return []
    fact = f"torch {torch_version} with cuDNN {cudnn_text(cudnn_version)}: "
    if torch_version.startswith("2.9."):
        return [
            Finding(
                "problem",
                "conv3d release",
                f"{fact}3D convolutions in half precision are 4 times slower and take many times the memory",
                "install torch 2.10 or newer, or pip install 'nvidia-cudnn-cu12>=9.15'",
            )
        ]
    return [
        Finding(
            "note",
            "conv3d release",
            f"{fact}cuDNN 9.8 to 9.14 is known for wrong 3D convolutions in bf16",
            "rely on the self-test below, run on the GPU that will train, or install cuDNN 9.15 or newer",
        )
    ]


def conv3d_self_test(device: torch.device, *, wanted: str) -> list[Finding]:
    """Gradients of small 3D convolutions in half precision against float32.

    Args:
        wanted: the config's precision; a fault in another one is only a note.
    """
    right, wrong = [], []
    for name in ("bf16", "fp16") if device.type == "cuda" else ("bf16",):
        try:
            Precision(name, device).require_right_gradients()
            right.append(name)
        except UserError as error:
            fact = str(error).partition(", but ")[2].rpartition("; ")[0]
            wrong.append(
                Finding(
                    "problem" if name == wanted else "note",
                    f"conv3d {name}",
                    fact or str(error),
                    f"do not train with TRAIN.PRECISION {name} on this {device.type}; fp32 is correct (a run tries "
                    "the convolutions of its own network, which TRAIN.SPEED channels_last changes)",
                )
            )
    if right:
        fact = f"gradients in {' and '.join(right)} agree with float32 on this {device.type}"
        return [Finding("ok", "conv3d", fact), *wrong]
    return wrong


def decoders(*, wanted: str) -> tuple[list[str], list[Finding]]:
    """Names of the decoders that load here, and a finding on each.

    Args:
        wanted: the config's decoder; that another one does not load is only a note.
    """
    loaded, findings = [], []
    for name in DECODERS:
        try:
            findings.append(Finding("ok", f"decoder {name}", decoder_version(name)))
            loaded.append(name)
        except UserError as error:
            findings.append(refusal(f"decoder {name}", error, level="problem" if name == wanted else "note"))
    return loaded, findings


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
