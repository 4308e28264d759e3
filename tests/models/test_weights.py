"""Backbone weights over files: to the bit, from every kind of file, and one line when they do not fit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import video

from sce_video.errors import CheckpointError
from sce_video.models.backbones import make_backbone
from sce_video.models.base import Backbone, NetworkInput
from sce_video.models.norms import NormNumbers, norm_numbers, set_norm_numbers
from sce_video.models.weights import load_backbone, save_backbone, weights_digest
from sce_video.runtime.checkpoints import CheckpointFolder
from tests.models.inputs import INPUT

NAME = "r2plus1d_mini"


def backbone(seed: int) -> Backbone:
    """Weights and running statistics that tell one seed from another."""
    torch.manual_seed(seed)
    made = make_backbone(NAME, input=INPUT)
    for buffer in made.buffers():
        buffer.copy_(buffer + seed)
    return made


def save_checkpoint(folder: Path, step: int, weights: nn.Module, *, name: str = NAME) -> Path:
    """As the training loop saves: the backbone among the rest of the model."""
    model = {f"backbone.{key}": value for key, value in weights.state_dict().items()}
    model |= {f"momentum_{key}": torch.zeros_like(value) for key, value in model.items()}
    model |= {"projector.0.weight": torch.ones(2, 2), "queue.keys": torch.ones(3, 2)}
    checkpoints = CheckpointFolder(folder, num_kept=3)
    record = {"backbone": name, "network_input": str(INPUT), "batch_norm": str(norm_numbers(weights))}
    checkpoints.save(step, {"model": model, **record, "config": "TASK: pretrain\n"})
    return checkpoints.path(step)


def as_safetensors(folder: Path, weights: Backbone) -> Path:
    save_backbone(weights, folder / "any name.safetensors", name=NAME, step=7)
    return folder / "any name.safetensors"


def as_checkpoint(folder: Path, weights: Backbone) -> Path:
    return save_checkpoint(folder, 7, weights)


def as_finished_run(folder: Path, weights: Backbone) -> Path:
    """The backbone file is the end of training; checkpoints beside it are not looked at."""
    save_backbone(weights, folder / "backbone.safetensors", name=NAME, step=7)
    save_checkpoint(folder / "checkpoints", 6, backbone(99))
    return folder


def as_running_run(folder: Path, weights: Backbone) -> Path:
    """The newest checkpoint counts."""
    save_checkpoint(folder / "checkpoints", 6, backbone(99))
    save_checkpoint(folder / "checkpoints", 7, weights)
    return folder


def refusal(path: Path, *, name: str = NAME) -> str:
    """The message; a refused file leaves the backbone as it was."""
    target = backbone(2)
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_backbone(target, path, name=name)
    assert all(torch.equal(value, before[key]) for key, value in target.state_dict().items())
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("write", [as_safetensors, as_checkpoint, as_finished_run, as_running_run])
def test_weights_round_trip_to_the_bit(tmp_path: Path, write: Callable[[Path, Backbone], Path]) -> None:
    source, target = backbone(1), backbone(2)
    loaded = load_backbone(target, write(tmp_path, source), name=NAME)
    expected = source.state_dict()
    assert target.state_dict().keys() == expected.keys()
    for key, value in target.state_dict().items():
        assert value.dtype == expected[key].dtype
        assert torch.equal(value, expected[key]), key
    assert (loaded.backbone, loaded.step, loaded.input) == (NAME, "7", INPUT)
    views = torch.randn(2, 3, 4, 32, 32)
    assert torch.equal(target.eval()(views), source.eval()(views))


# As versions before the record wrote it; the resolved default config of that time.
SENTENCE = "16 frames in 1.28 s, mean [0.45, 0.45, 0.45], std [0.225, 0.225, 0.225]"


@pytest.mark.parametrize("write", [as_safetensors, as_checkpoint])
def test_files_of_before_the_record_load(tmp_path: Path, write: Callable[[Path, Backbone], Path]) -> None:
    source = backbone(1)
    path = write(tmp_path, source)
    if path.suffix == ".pt":
        torch.save({**torch.load(path, weights_only=True), "network_input": SENTENCE}, path)
    else:
        save_file(load_file(path), path, metadata={"backbone": NAME, "step": "7", "network_input": SENTENCE})
    loaded = load_backbone(backbone(2), path, name=NAME)
    assert loaded.input == NetworkInput(
        num_frames=16, seconds=1.28, size_pixels=None, mean=(0.45,) * 3, std=(0.225,) * 3
    )


def test_weights_from_elsewhere_have_no_record_of_their_views(tmp_path: Path) -> None:
    save_file(dict(backbone(1).state_dict()), tmp_path / "a.safetensors", metadata={"backbone": NAME})
    assert load_backbone(backbone(2), tmp_path / "a.safetensors", name=NAME).input is None


def test_an_invalid_record_of_the_views_is_named(tmp_path: Path) -> None:
    about = {"backbone": NAME, "step": "1", "network_input": "a few frames"}
    save_file(dict(backbone(1).state_dict()), tmp_path / "a.safetensors", metadata=about)
    assert "a.safetensors cannot be used: its record of the network input is 'a few frames'" in refusal(
        tmp_path / "a.safetensors"
    )


@pytest.fixture(scope="module")
def torchvision_s3d() -> nn.Module:
    """With running statistics so small that the eps is seen."""
    torch.manual_seed(0)
    library = video.s3d().eval()
    for name, buffer in library.named_buffers():
        if name.endswith("running_var"):
            nn.init.uniform_(buffer, 1e-3, 1e-2)
    return library


def converted(library: nn.Module, file: Path) -> Path:
    """torchvision's weights less its classifier, in a file that was not written by this toolkit."""
    tensors = {key: value for key, value in library.state_dict().items() if not key.startswith("classifier.")}
    save_file(tensors, file, metadata={"backbone": "s3d"})
    return file


@torch.no_grad()
def test_converted_weights_keep_torchvision_s_batch_norms(torchvision_s3d: nn.Module, tmp_path: Path) -> None:
    """To the file of a run that began with them, too."""
    ours, again = make_backbone("s3d", input=INPUT), make_backbone("s3d", input=INPUT)
    load_backbone(ours, converted(torchvision_s3d, tmp_path / "s3d.safetensors"), name="s3d")
    assert norm_numbers(ours) == NormNumbers(eps=0.001, momentum=0.001)
    views = torch.randn(2, 3, 16, 32, 32, generator=torch.Generator().manual_seed(1))
    expected = torchvision_s3d.features(views).mean(dim=(2, 3, 4))
    torch.testing.assert_close(ours.eval()(views), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))
    for path in saved_both_ways(tmp_path, ours, name="s3d"):
        load_backbone(again, path, name="s3d")
        assert norm_numbers(again) == NormNumbers(eps=0.001, momentum=0.001), path
        assert weights_digest(again) == weights_digest(ours)


def test_weights_of_our_own_keep_torch_s_batch_norms(tmp_path: Path) -> None:
    ours, again = make_backbone("s3d", input=INPUT), make_backbone("s3d", input=INPUT)
    for path in saved_both_ways(tmp_path, ours, name="s3d"):
        set_norm_numbers(again, NormNumbers(eps=0.001, momentum=0.001))
        load_backbone(again, path, name="s3d")
        assert norm_numbers(again) == NormNumbers(eps=1e-5, momentum=0.1), path


def saved_both_ways(folder: Path, weights: Backbone, *, name: str) -> list[Path]:
    save_backbone(weights, folder / "b.safetensors", name=name, step=7)
    return [folder / "b.safetensors", save_checkpoint(folder, 7, weights, name=name)]


def test_the_digest_tells_batch_norms_apart() -> None:
    weights = backbone(1)
    before = weights_digest(weights)
    set_norm_numbers(weights, NormNumbers(eps=0.001, momentum=0.1))
    assert weights_digest(weights) != before


@pytest.mark.parametrize(
    "record", ["eps nan, momentum 0.1", "eps 0.0, momentum 0.1", "eps 1e-05", "eps 1-1, momentum 1"]
)
def test_an_invalid_record_of_batch_norms_is_named(tmp_path: Path, record: str) -> None:
    about = {"backbone": NAME, "step": "1", "batch_norm": record}
    save_file(dict(backbone(1).state_dict()), tmp_path / "a.safetensors", metadata=about)
    with pytest.raises(
        CheckpointError, match=f"a.safetensors cannot be used: its record of the batch norms is '{record}'"
    ):
        load_backbone(backbone(2), tmp_path / "a.safetensors", name=NAME)


def test_the_file_can_be_read_by_safetensors_alone(tmp_path: Path) -> None:
    source = backbone(1)
    save_backbone(source, tmp_path / "new" / "b.safetensors", name=NAME, step=7)
    assert load_file(tmp_path / "new" / "b.safetensors").keys() == source.state_dict().keys()
    content = (tmp_path / "new" / "b.safetensors").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert header["__metadata__"] == {
        "backbone": NAME,
        "step": "7",
        "network_input": '{"num_frames": 8, "seconds": 0.5, "size_pixels": 32, "mean": [0.45, 0.45, 0.45], '
        '"std": [0.225, 0.225, 0.225], "antialiased_resize": false, "representation": "rgb"}',
        "batch_norm": "eps 1e-05, momentum 0.1",
    }
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b.safetensors"]


def test_saving_takes_weights_that_are_laid_out_otherwise(tmp_path: Path) -> None:
    """channels_last_3d, as used on GPUs, is not contiguous."""
    source, target = backbone(1).to(memory_format=torch.channels_last_3d), backbone(2)
    assert not source.layer1[0].conv1[0][0].weight.is_contiguous()
    load_backbone(target, as_safetensors(tmp_path, source), name=NAME)
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in target.state_dict().items())


def test_a_torn_newest_checkpoint_is_skipped(tmp_path: Path) -> None:
    source, target = backbone(1), backbone(2)
    save_checkpoint(tmp_path / "checkpoints", 6, source)
    newest = save_checkpoint(tmp_path / "checkpoints", 7, backbone(99))
    newest.write_bytes(newest.read_bytes()[:5000])
    assert load_backbone(target, tmp_path, name=NAME).step == "6"
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in target.state_dict().items())


@pytest.mark.parametrize("write", [as_safetensors, as_checkpoint, as_finished_run])
def test_another_backbone_is_named(tmp_path: Path, write: Callable[[Path, Backbone], Path]) -> None:
    message = refusal(write(tmp_path, backbone(1)), name="r3d_18")
    assert f"has the backbone {NAME}, but MODEL.BACKBONE is r3d_18" in message


def drop_one(tensors: dict[str, Tensor]) -> None:
    del tensors["layer2.0.conv1.0.0.weight"]


def reshape_one(tensors: dict[str, Tensor]) -> None:
    tensors["layer2.0.conv1.0.0.weight"] = tensors["layer2.0.conv1.0.0.weight"][:-1].clone()


def flatten_one(tensors: dict[str, Tensor]) -> None:
    tensors["layer2.0.conv1.0.0.weight"] = tensors["layer2.0.conv1.0.0.weight"].flatten()


def add_one(tensors: dict[str, Tensor]) -> None:
    tensors["fc.weight"] = torch.zeros(2, 2)


def as_whole_numbers(tensors: dict[str, Tensor]) -> None:
    tensors["layer2.0.conv1.0.0.weight"] = tensors["layer2.0.conv1.0.0.weight"].int()


def as_complex_numbers(tensors: dict[str, Tensor]) -> None:
    tensors["layer2.0.conv1.0.0.weight"] = tensors["layer2.0.conv1.0.0.weight"].to(torch.complex64)


def rename_all(tensors: dict[str, Tensor]) -> None:
    for key in list(tensors):
        tensors[f"module.{key}"] = tensors.pop(key)


@pytest.mark.parametrize("as_run_checkpoint", [False, True])
@pytest.mark.parametrize(
    ("change", "num_unfit", "num_unknown", "example"),
    [
        (drop_one, 1, 0, "layer2.0.conv1.0.0.weight"),
        (reshape_one, 1, 0, "layer2.0.conv1.0.0.weight"),
        (flatten_one, 1, 0, "layer2.0.conv1.0.0.weight"),
        (as_whole_numbers, 1, 0, "layer2.0.conv1.0.0.weight"),
        (add_one, 0, 1, "fc.weight"),
        (rename_all, 126, 126, "stem.0.weight"),
    ],
)
def test_tensors_that_do_not_fit_are_counted(
    tmp_path: Path,
    change: Callable[[dict[str, Tensor]], None],
    num_unfit: int,
    num_unknown: int,
    example: str,
    as_run_checkpoint: bool,
) -> None:
    tensors = dict(backbone(1).state_dict())
    change(tensors)
    path = tmp_path / "changed.safetensors"
    if as_run_checkpoint:
        path = tmp_path / "step_00000001.pt"
        model = {f"backbone.{key}": value for key, value in tensors.items()}
        torch.save({"model": model, "backbone": NAME, "step": 1, "network_input": str(INPUT)}, path)
    else:
        save_file(tensors, path, metadata={"backbone": NAME, "step": "1"})
    message = refusal(path)
    assert f"{num_unfit} of 126 tensors" in message
    assert f"{num_unknown} are unknown, for example {example}" in message


@pytest.mark.parametrize("write", [as_safetensors, as_checkpoint, as_finished_run])
def test_weights_that_are_not_finite_are_named(tmp_path: Path, write: Callable[[Path, Backbone], Path]) -> None:
    source = backbone(1)
    source.layer2[0].conv1[0][0].weight.data[0, 0, 0, 0, 0] = float("nan")
    message = refusal(write(tmp_path, source))
    assert "cannot be read (" in message or "none of the 1 checkpoints" in message
    path = tmp_path / "complex.safetensors"
    tensors = dict(backbone(1).state_dict())
    as_complex_numbers(tensors)
    save_file(tensors, path, metadata={"backbone": NAME, "step": "1"})
    assert "layer2.0.conv1.0.0.weight holds values that are not real and finite" in refusal(path)


@pytest.mark.parametrize("length", [0, 4, 5000, -1])
@pytest.mark.parametrize("write", [as_safetensors, as_checkpoint])
def test_a_shortened_file_is_named(tmp_path: Path, write: Callable[[Path, Backbone], Path], length: int) -> None:
    path = write(tmp_path, backbone(1))
    path.write_bytes(path.read_bytes()[:length])
    assert f"{path} cannot be read" in refusal(path)


@pytest.mark.parametrize("length", [10**18, 2**64 - 1, 2**31, 0, 7])
def test_a_header_of_another_length_is_named(tmp_path: Path, length: int) -> None:
    path = as_safetensors(tmp_path, backbone(1))
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    assert f"{path} cannot be read" in refusal(path)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "video.safetensors").write_bytes(b"\xff" * 1000)
    assert "video.safetensors cannot be read" in refusal(tmp_path / "video.safetensors")
    (tmp_path / "notes.txt").write_text("top-1 was 53.1")
    assert "notes.txt cannot be read" in refusal(tmp_path / "notes.txt")
    save_file(dict(backbone(1).state_dict()), tmp_path / "foreign.safetensors")
    assert "has the backbone unknown, but MODEL.BACKBONE is" in refusal(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("missing", ["model", "backbone", "step", "network_input"])
def test_a_foreign_checkpoint_is_named(tmp_path: Path, missing: str) -> None:
    state = {"model": {}, "backbone": NAME, "step": 3, "network_input": str(INPUT)}
    del state[missing]
    torch.save(state, tmp_path / "foreign.pt")
    assert "foreign.pt is not a checkpoint of this toolkit" in refusal(tmp_path / "foreign.pt")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for name in ("none.safetensors", "none.pt", "none"):
        assert f"{tmp_path / name} does not exist" in refusal(tmp_path / name)
    message = refusal(tmp_path)
    assert str(tmp_path) in message
    assert "has neither backbone.safetensors nor checkpoints/" in message


def test_a_path_may_be_a_text(tmp_path):
    saved, name = make_backbone("r2plus1d_mini", input=INPUT), "r2plus1d_mini"
    save_backbone(saved, f"{tmp_path}/backbone.safetensors", name=name, step=3)
    for text in (f"{tmp_path}/backbone.safetensors", str(tmp_path)):
        loaded = make_backbone(name, input=INPUT)
        load_backbone(loaded, text, name=name)
        assert weights_digest(loaded) == weights_digest(saved)
