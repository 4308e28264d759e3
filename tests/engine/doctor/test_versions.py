import pytest
import torch

from sce_video.clips.decoders import DECODERS
from sce_video.engine.doctor.versions import (
    conv3d_release,
    conv3d_self_test,
    cudnn_text,
    decoders,
    gpus,
    software,
)


@pytest.mark.parametrize(
    ("number", "text"), [(91000, "9.10.0"), (90800, "9.8.0"), (92600, "9.26.0"), (8902, "8.9.2"), (None, "none")]
)
def test_cudnn_version_as_text(number: int | None, text: str) -> None:
    assert cudnn_text(number) == text


@pytest.mark.parametrize(
    ("torch_version", "cudnn", "level"),
    [
        ("2.9.1", 91000, "problem"),
        ("2.9.0+cu128", 91002, "problem"),
        ("2.9.1", 90800, "problem"),
        ("2.9.1", 91499, "problem"),
        ("2.9.1", 91500, None),  # with a newer nvidia-cudnn-cu12
        ("2.9.1", 90701, None),
        ("2.9.1", None, None),  # without CUDA
        ("2.8.0", 91002, "note"),
        ("2.15.0+cu132", 92600, None),
    ],
)
def test_bad_releases(torch_version: str, cudnn: int | None, level: str | None) -> None:
    found = conv3d_release(torch_version, cudnn)
    assert [finding.level for finding in found] == ([] if level is None else [level])
    for finding in found:
        assert torch_version in finding.fact
        assert "9.15" in finding.fix


def bf16_is_right() -> bool:
    """The gradient of a temporal convolution over 2 frames, where torch 2.11 and 2.15 give garbage on a CPU."""
    torch.manual_seed(1)
    conv = torch.nn.Conv3d(16, 16, (3, 1, 1), padding=(1, 0, 0), bias=False)
    views = torch.randn(4, 16, 2, 8, 8)
    conv(views).square().sum().backward()
    exact = conv.weight.grad.clone()
    conv.weight.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        output = conv(views)
    output.float().square().sum().backward()
    return torch.allclose(conv.weight.grad, exact, atol=0.05 * exact.abs().max().item())


@pytest.mark.parametrize(("wanted", "level"), [("bf16", "problem"), ("fp32", "note")])
def test_the_self_test_agrees_with_a_training_step(wanted: str, level: str) -> None:
    (found,) = conv3d_self_test(torch.device("cpu"), wanted=wanted)
    assert found.level == ("ok" if bf16_is_right() else level)
    assert "bf16" in found.topic + found.fact
    assert not found.fact.startswith("TRAIN.PRECISION")


def test_gpus() -> None:
    (found,) = gpus(["NVIDIA H100", "NVIDIA H100"], "570.124.06")
    assert (found.level, found.fact) == ("ok", "2 x NVIDIA H100, driver 570.124.06")
    assert gpus([], None)[0].level == "note"
    (found,) = gpus([], "570.124.06")
    assert found.level == "problem"
    assert "torch" in found.fact
    assert "570.124.06" in found.fact


def test_software_names_its_versions() -> None:
    text = " ".join(finding.fact for finding in software())
    assert torch.__version__ in text
    assert "Python 3." in text


def test_every_decoder_loads_or_has_a_fix() -> None:
    loaded, findings = decoders(wanted="pyav")
    assert "pyav" in loaded
    assert len(findings) == len(DECODERS)
    for name, finding in zip(DECODERS, findings, strict=True):
        assert name in finding.topic
        assert (finding.level == "ok") == (name in loaded)
        assert (finding.fix != "") == (name not in loaded)
