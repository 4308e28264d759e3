"""Examples in the docs, and the API pages of `make docs`."""

import re
import shlex
import warnings
from pathlib import Path

import pdoc
import pytest
import torch

from sce_video import methods
from sce_video.config import load_config
from sce_video.models.backbones import make_backbone
from sce_video.models.weights import save_backbone
from tests.models.inputs import INPUT

REPOSITORY = Path(__file__).resolve().parents[1]


def python_example(file: str) -> str:
    """The only Python block of a document."""
    (example,) = re.findall(r"^```python\n(.*?)^```$", (REPOSITORY / file).read_text(), re.DOTALL | re.MULTILINE)
    return str(example)


def test_the_readmes_notebook(motion_videos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "video.mp4").symlink_to(next(motion_videos.rglob("*.mp4")))
    monkeypatch.chdir(tmp_path)
    names: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        exec(python_example("README.md"), names)
    assert names["clip"].dtype == torch.uint8
    assert names["view"].shape[:3] == (1, 3, 8)
    assert names["features"].shape == (1, 2048)  # its comment
    assert names["features"].std() > 0


def test_the_zoos_weights_fit_torchvision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    backbone = make_backbone("r2plus1d_18", input=INPUT)
    file = tmp_path / "runs" / "k400_sce" / "backbone.safetensors"
    file.parent.mkdir(parents=True)
    save_backbone(backbone, file, name="r2plus1d_18", step=1)
    monkeypatch.chdir(tmp_path)
    names: dict[str, torch.nn.Module] = {}
    exec(python_example("MODEL_ZOO.md"), names)
    views = torch.rand(1, 3, 2, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(names["model"].eval()(views), backbone.eval()(views))


COMMAND = re.compile(r"^(?:    )?python tools/run_net.py --cfg (.*?)(?:  +#.*)?$", re.MULTILINE)


@pytest.mark.parametrize("document", ["docs/own_data.md", "docs/evaluation.md", "README.md"])
def test_commands_have_settings_that_their_config_takes(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    commands = COMMAND.findall((REPOSITORY / document).read_text().replace("\\\n", " "))
    assert commands
    for command in commands:
        config, *overrides = shlex.split(command)
        if config.startswith("configs/"):  # others are written by tools/init_config.py
            load_config(config, overrides)


# Of one room, since all take half a minute.
def test_pages_of_a_room_without_a_warning(tmp_path: Path) -> None:
    pdoc.render.configure(docformat="google")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdoc.pdoc("sce_video.methods", output_directory=tmp_path)
    modules = {file.stem for file in Path(methods.__path__[0]).glob("[!_]*.py")}
    assert {page.stem for page in (tmp_path / "sce_video" / "methods").glob("*.html")} == modules
    page = (tmp_path / "sce_video" / "methods" / "losses.html").read_text()
    assert "<strong>query, key:</strong>" in page  # an Args: section is a list
