import json
import sys

import pytest
from PIL import Image

from sce_video.errors import UserError
from sce_video.report.curves import plot_curves, read_metrics

LINES = [{"step": 10 * i, "loss": 5 / (i + 1), "lr": 0.1 * i} for i in range(20)]


@pytest.fixture
def metrics_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return path


def blue_pixels(picture):
    """(x, y) of the curve's pixels; axes, text and grid are gray."""
    image = Image.open(picture).convert("RGB")
    pixels = image.load()
    width, height = image.size
    return [(x, y) for x in range(width) for y in range(height) if pixels[x, y][2] > pixels[x, y][0] + 60]


def test_lines_come_back_as_written(metrics_file):
    assert read_metrics(metrics_file) == LINES


def test_a_picture_with_one_panel_per_name(metrics_file, tmp_path):
    picture = tmp_path / "curves.png"
    sizes = []
    for names in (["loss"], ["loss", "lr"]):
        plot_curves(metrics_file, picture, names=names, title="a run")
        with Image.open(picture) as image:
            assert image.format == "PNG"
            sizes.append(image.size)
    (width, height), wider = sizes
    assert 200 < height <= width < 2000
    assert wider == (2 * width, height)


def test_the_curve_falls_as_the_numbers_do(metrics_file, tmp_path):
    picture = tmp_path / "curves.png"
    plot_curves(metrics_file, picture, names=["loss"], title="")
    curve = blue_pixels(picture)
    assert len(curve) > 100
    left, right = min(curve), max(curve)
    assert right[0] - left[0] > 150  # over the whole panel
    assert left[1] < right[1] - 50  # down, as y grows downwards


def test_a_scalar_that_only_some_steps_have(metrics_file, tmp_path):
    with metrics_file.open("a") as file:
        file.write(json.dumps({"step": 200, "loss": 0.1, "knn_top1": 0.3}) + "\n")
        file.write(json.dumps({"step": 210, "loss": 0.1, "knn_top1": 0.9}) + "\n")
    picture = tmp_path / "curves.png"
    plot_curves(metrics_file, picture, names=["knn_top1"], title="")
    curve = blue_pixels(picture)
    left, right = min(curve), max(curve)
    assert right[1] < left[1] - 50


def test_a_line_torn_by_a_crash_is_left_out(metrics_file, tmp_path):
    with metrics_file.open("a") as file:
        file.write('{"step": 200, "lo')
    assert read_metrics(metrics_file) == LINES
    plot_curves(metrics_file, tmp_path / "curves.png", names=["loss"], title="")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nothing.jsonl"
    with pytest.raises(UserError, match=r"nothing\.jsonl does not exist"):
        plot_curves(path, tmp_path / "curves.png", names=["loss"], title="")
    assert not (tmp_path / "curves.png").exists()


@pytest.mark.parametrize("text", ["", "\n", "{"])
def test_a_file_without_metrics_is_named(tmp_path, text):
    path = tmp_path / "metrics.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=r"metrics\.jsonl holds no metrics"):
        plot_curves(path, tmp_path / "curves.png", names=["loss"], title="")


def test_an_unknown_name_gets_the_known_ones(metrics_file, tmp_path):
    with pytest.raises(UserError, match=r"metrics\.jsonl has no 'accuracy'; it has step, loss, lr"):
        plot_curves(metrics_file, tmp_path / "curves.png", names=["loss", "accuracy"], title="")
    assert not (tmp_path / "curves.png").exists()


def test_without_matplotlib_the_way_out_is_named(metrics_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UserError, match=r"pip install 'sce_video\[plots\]'"):
        plot_curves(metrics_file, tmp_path / "curves.png", names=["loss"], title="")
