"""The program as a user runs it, on small folders: the config that it writes trains."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sce_video.config import load_config
from sce_video.launch.local import run_task

Tool = Callable[..., int]


def test_a_folder_of_videos(
    tool: Tool, motion_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, config = tmp_path / "my 'videos'", tmp_path / "mine.yaml"
    shutil.copytree(motion_videos, videos)
    (videos / "train" / "fall" / "broken.mp4").write_bytes(b"\x00" * 500)
    (videos / "train" / "grow" / "empty.mp4").touch()
    assert tool("init_config", videos, "--output", config) == 0
    shown, text = capsys.readouterr(), config.read_text()
    words, comment = " ".join(shown.out.split()), " ".join(line.strip("# ") for line in text.splitlines())
    for fact in (
        "26 videos, 26 of them looked at, read as DATA.SOURCE class_folders",
        "length 4 s, at 16 frames a second",
        "2 of the 26 cannot be decoded: - train/fall/broken.mp4: ",
        "Does a mirror image change the class",
        "of the videos the camera stands still",
    ):
        assert fact in words
        assert fact in comment
    run = f"python tools/run_net.py --cfg {config}"
    assert run in shown.out
    assert run in text
    for name in ("examine", "knn", "extract"):  # on the same videos and views
        command = next(line for line in reversed(shown.out.splitlines()) if f"configs/folder_{name}.yaml" in line)
        _, _, _, file, *overrides = shlex.split(command)
        evaluation = load_config(file, overrides)
        assert ("runs/mine", str(videos)) == (evaluation.EVAL.CHECKPOINT, evaluation.DATA.ROOT)
        assert (2.0, "test" if name == "knn" else "") == (evaluation.CLIP.SECONDS, evaluation.DATA.TEST)
    assert "configs/folder_knn.yaml EVAL.CHECKPOINT '' RUN.OUTPUT_DIR runs/mine_floors" in shown.out
    assert "TASK floors" in shown.out
    assert "DATA.TEST test EVAL.KNN_NUM_NEIGHBORS 5" in shown.out
    assert "A short try: TRAIN.NUM_EPOCHS 3 OPTIM.WARMUP_EPOCHS 1 RUN.OUTPUT_DIR runs/mine_try" in comment
    assert "real step" in comment
    cfg = load_config(config)
    assert (str(videos), "train", 0.12) == (cfg.DATA.ROOT, cfg.DATA.TRAIN, cfg.DATA.MAX_FAILED_SHARE)
    run_task(load_config(config, shared=shrunk(tmp_path / "run")))
    assert (tmp_path / "run" / "checkpoints" / "step_00000001.pt").is_file()


def shrunk(output_dir: Path) -> list[str]:
    settings = {"DATA.NUM_WORKERS": 0, "RUN.DEVICE": "cpu", "TRAIN.PRECISION": "fp32", "TRAIN.STOP_AT_STEP": 1}
    settings |= {"RUN.OUTPUT_DIR": output_dir, "CLIP.SIZE_PIXELS": 32}
    return [str(word) for pair in settings.items() for word in pair]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (36, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"picture{i}.png")
    return folder


def test_a_folder_of_images(tool: Tool, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("TASK: knn\n")
    assert tool("init_config", images, "--output", config) == 2  # nothing is overwritten without a word
    assert f"error: {config} exists; give another --output, or --overwrite to replace it" in capsys.readouterr().err
    assert config.read_text() == "TASK: knn\n"
    assert tool("init_config", images, "--output", config, "--overwrite") == 0
    cfg = load_config(config)
    assert (cfg.DATA.SOURCE, cfg.CLIP.NUM_FRAMES, cfg.MODEL.BACKBONE) == ("image_folders", 1, "resnet18")
    assert (cfg.TRAIN.PRECISION, cfg.TRAIN.GLOBAL_BATCH_SIZE) == ("fp32", 4)
    assert "real step" in config.read_text()  # it was trained for
    assert tool("init_config", images, "--output", tmp_path / "other.yaml", "--motion") == 2
    assert "has images, which do not move" in capsys.readouterr().err


@pytest.mark.parametrize("gpu", [[], ["--gpu-gb", "24"]])
def test_a_path_that_the_config_would_read_as_another(
    tool: Tool,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    gpu: list[str],
) -> None:
    """On the command line too, `$HOME` is a variable, but not below a link."""
    (tmp_path / "linked").symlink_to(images.rename(tmp_path / "a$HOME"))
    assert tool("init_config", tmp_path / "linked", "--output", tmp_path / "mine.yaml", *gpu) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error == f"error: {tmp_path}/a$HOME has a $ in its name, which configs take for a variable; rename it"
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.thorough
def test_a_gpu_elsewhere(tool: Tool, motion_videos: Path, tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    assert tool("init_config", motion_videos, "--output", config, "--gpu-gb", "24", "--motion") == 0
    cfg = load_config(config)
    assert (cfg.MODEL.BACKBONE, cfg.MODEL.REPRESENTATION, cfg.TRAIN.PRECISION) == ("r3d18_sce", "difference", "fp16")
    assert "one GPU of 24 GiB" in config.read_text()
    assert "Duration:  not known: no GPU of 24 GiB here." in config.read_text()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "has neither videos"),
        (["a.mp4", "b.mp4"], "none of the 2 videos tried of "),
    ],
)
def test_folders_that_cannot_be_used(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str], files: list[str], message: str
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"no video")
    assert tool("init_config", tmp_path, "--output", tmp_path / "mine.yaml") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (tmp_path / "mine.yaml").exists()


@pytest.mark.thorough
def test_the_commands_of_the_page(
    tool: Tool, motion_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that docs/own_data.md begins with, in order, on a small folder and for a few steps."""
    shutil.copytree(motion_videos, tmp_path / "mine")
    page = (Path(__file__).resolve().parents[2] / "docs" / "own_data.md").read_text()
    commands = [line.strip() for line in page.split("\n\n")[1].splitlines()]
    assert len(commands) == 5
    for command in commands:
        for name in ("/data/mine", "mine_sce.yaml", "runs/"):
            command = command.replace(f" {name}", f" {tmp_path}/{name.removeprefix('/data/')}")
        _, program, *arguments = shlex.split(command, comments=True)
        changed = {"DATA.NUM_WORKERS": 0, "RUN.DEVICE": "cpu"}
        if program == "tools/init_config.py":
            arguments += ["--output", str(tmp_path / "mine_sce.yaml")]
            changed = {}
        elif "mine_sce.yaml" in arguments[1]:
            changed |= {
                "TRAIN.NUM_EPOCHS": 1,
                "OPTIM.WARMUP_EPOCHS": 0,
                "RUN.OUTPUT_DIR": tmp_path / "runs" / "mine_sce",
            }
        elif "RUN.OUTPUT_DIR" not in arguments:
            changed |= {"RUN.OUTPUT_DIR": tmp_path / "runs" / Path(arguments[1]).stem}
        overrides = [str(word) for pair in changed.items() for word in pair]
        assert tool(Path(program).stem, *arguments, *overrides) == 0, command
    results = json.loads((tmp_path / "runs" / "folder_knn" / "results.json").read_text())
    assert results["floors"]
    assert "floor" in capsys.readouterr().err
