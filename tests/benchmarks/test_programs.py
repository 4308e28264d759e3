"""Each benchmark as a program on a few small videos: the structure of its JSON, never the speed."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"benchmarks/{program}.py", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)


def results_of(program: str, *arguments: object, json_file: Path) -> tuple[dict[str, float], list[dict]]:
    outcome = run(program, *arguments, "--json", json_file)
    assert outcome.returncode == 0, outcome.stderr
    record = json.loads(json_file.read_text())
    assert {"ratios", "rows", "machine", "versions", "commit"} <= record.keys()
    assert all(math.isfinite(ratio) and ratio > 0 for ratio in record["ratios"].values())
    assert all(name in outcome.stdout for name in record["ratios"])
    return record["ratios"], record["rows"]


@pytest.mark.parametrize("program", sorted(file.stem for file in (REPOSITORY / "benchmarks").glob("*.py")))
def test_a_benchmark_can_be_imported(benchmark_module: Callable[[str], ModuleType], program: str) -> None:
    assert benchmark_module(program).__doc__


@pytest.mark.thorough
def test_probes(tmp_path: Path) -> None:
    ratios, rows = results_of("probes", "--quick", "--videos", "4", json_file=tmp_path / "probes.json")
    (share,) = [row["share of a step, %"] for row in rows]
    assert ratios == {"demo_sce_with_vs_without_probes": pytest.approx(1 / (1 + share / 100))}


@pytest.mark.thorough
def test_forms(tmp_path: Path) -> None:
    ratios, rows = results_of("forms", "--quick", json_file=tmp_path / "forms.json")
    assert ratios["demo_sce: plain, fp32"] == 1
    assert [row["form"] for row in rows] == ["plain, fp32", "channels_last, fp32", "channels_last, bf16"]


@pytest.fixture
def one_video(motion_videos: Path) -> Path:
    return next(iter(sorted(motion_videos.glob("test/*"))))


@pytest.mark.thorough
def test_decode(one_video: Path, tmp_path: Path) -> None:
    ratios, rows = results_of("decode", one_video, "--quick", json_file=tmp_path / "decode.json")
    assert {
        "default_original_vs_pytorchvideo_original",
        "default_gop4_vs_pytorchvideo_original",
        "default_256p_gop4_vs_pytorchvideo_256p",
    } <= ratios.keys()
    assert {row["files"] for row in rows} == {"original", "gop4", "256p", "256p_gop4"}
    assert {"ours pyav", "pytorchvideo"} <= {row["decoder"] for row in rows}
    for row in rows:
        assert row["wrong"] == 0
        assert row["min"] <= row["clips_per_s"] <= row["max"]
        # 2 clips a video; the median of the rates and that of the times are of the same round
        assert row["clips_per_s"] * row["ms_per_video"] == pytest.approx(2000)
        assert row["cpu_ms_per_video"] > 0
        assert row["bytes"] > 0
    assert [row["bytes_vs_original"] for row in rows if row["files"] == "original"] == pytest.approx(
        [1.0] * sum(row["files"] == "original" for row in rows)
    )


@pytest.mark.thorough
def test_loader(one_video: Path, tmp_path: Path) -> None:
    ratios, rows = results_of("loader", one_video, "--quick", json_file=tmp_path / "loader.json")
    for ratio in ("1_worker_vs_pytorchvideo", "1_worker_share_of_decoder", "scaling_2_workers"):
        assert f"{ratio}_256p_gop4" in ratios
    shares = [row["share_percent"] for row in rows if "share_percent" in row]
    assert len(shares) == 6
    assert sum(shares) == pytest.approx(100)
    assert {row["what"] for row in rows} >= {"ours, 1 worker", "ours, 2 workers", "pytorchvideo, 1 worker"}


@pytest.mark.thorough
def test_evaluate(one_video: Path, tmp_path: Path) -> None:
    ratios, rows = results_of("evaluate", one_video, "--quick", json_file=tmp_path / "evaluate.json")
    assert {"views_original_vs_pytorchvideo", "retrieval_vs_scikit-learn"} <= ratios.keys()
    assert {"ours, original", "ours, 256p_gop4", "ours, 200 queries in 20000"} <= {row["what"] for row in rows}


@pytest.mark.thorough
def test_memory(one_video: Path, tmp_path: Path) -> None:
    ratios, rows = results_of("memory", one_video, "--quick", "--openings", 40, json_file=tmp_path / "memory.json")
    assert "default_vs_pytorchvideo" in ratios
    for row in rows:
        assert (row["openings"], row["failed"]) == (40, 0)
        assert len(row["resident_mib"]) == 2
        assert row["last_mib"] > 50


@pytest.mark.parametrize("program", ["decode", "loader", "memory", "evaluate"])
def test_a_missing_folder_is_one_line(
    benchmark_module: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    program: str,
) -> None:
    monkeypatch.setattr(sys, "argv", [program, str(tmp_path / "nowhere"), "--quick"])
    assert benchmark_module(program).main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'nowhere'}: no such folder, or no video in it")


def test_step(tmp_path: Path) -> None:
    arguments = ("demo_sce", "--quick", "--batches", 8, "--device", "cpu", "--folder", tmp_path)
    ratios, rows = results_of("step", *arguments, json_file=tmp_path / "a.json")
    assert ratios.keys() == {"step_demo_sce_8_vs_networks", "checkpoint_demo_sce_vs_torch_save"}
    messages, step, checkpoint = rows
    assert messages["queue_not_sent"] == 1024 * 64 * 4
    assert messages["keys"] == 2 * 32 * 64 * 4  # two views of the batch, float32
    # Both encoders, the two moments of AdamW of the online one, and the queue.
    weights = checkpoint["bytes"] - messages["queue_not_sent"]
    assert 4 * messages["gradients"] < weights < 4.1 * messages["gradients"]
    assert step["clips_per_second"] == pytest.approx(2 * 8 / step["seconds"])


@pytest.mark.thorough
def test_remote(one_video: Path, tmp_path: Path) -> None:
    ratios, rows = results_of("remote", one_video, "--quick", json_file=tmp_path / "remote.json")
    assert {"http_files_cold_vs_local", "s3_shards_warm_vs_local", "http_cold_vs_simplecache"} <= ratios.keys()
    assert {"local files", "http, files, cold", "s3, shards, warm"} <= {row["what"] for row in rows}
    assert all(row["min"] <= row["clips_per_s"] <= row["max"] for row in rows)


@pytest.mark.thorough
def test_scaling(one_video: Path, tmp_path: Path) -> None:
    """Measured against calculated bytes, never speed."""
    ratios, rows = results_of("scaling", one_video, "--quick", json_file=tmp_path / "scaling.json")
    assert {
        "bytes_r2plus1d_mini_vs_plain_ddp",
        "r2plus1d_mini_2_processes_same_videos_each_vs_plain_ddp",
        "r2plus1d_mini_scaling_same_batch",
    } <= ratios.keys()

    sent = {row["what"]: row for row in rows if str(row["part"]).startswith("messages of a step")}
    ours, plain = sent["ours"], sent["plain DDP"]
    assert ours["buffers"] < 10_000  # no queue
    assert 65536 * 256 * 4 <= plain["buffers"] < 1.01 * 65536 * 256 * 4
    assert 2 * 2 * 2 * 256 * 4 <= ours["keys"] < 2 * 2 * 2 * 256 * 4 + 2000  # 2 views of 2 videos to each of 2
    assert ours["gradients"] == pytest.approx(sent["ours, arithmetic"]["gradients"], rel=0.01)
    assert sum(ours[kind] for kind in ("gradients", "keys", "buffers")) == ours["all"]

    norms = {row["what"]: row for row in rows if str(row["part"]).startswith("messages of synchronised")}
    measured, arithmetic = norms["measured"], norms["arithmetic"]
    for kind in ("gathers", "sums"):
        assert measured[kind] == arithmetic[kind] > 0
    # Each message has gloo's headers and an announcement.
    assert 0 <= measured["gathered"] - arithmetic["gathered"] < 2 * 500 * measured["gathers"]
    assert 0 <= measured["summed"] - arithmetic["summed"] < 2 * 1000 * measured["sums"]

    (reading,) = [row for row in rows if str(row["part"]).startswith("reading")]
    assert 0 < reading["read_mb"] < 2 * reading["file_mb"] + 0.1
    paper = [row for row in rows if row["part"] == "on paper"]
    assert [(row["gpus"], row["videos_each"]) for row in paper] == [(8, 64), (64, 8), (512, 1), (64, 64), (512, 64)]
    for row in paper:
        causes = ("compute_ms", "gradients_ms", "keys_ms", "norms_ms", "flag_ms")
        assert sum(row[cause] for cause in causes) == pytest.approx(1000 * row["step_seconds"])
        assert 0 < row["share_of_ideal"] < 1


@pytest.mark.thorough
def test_images(tmp_path: Path) -> None:
    arguments = ("--quick", "--batch", 8, "--device", "cpu")
    ratios, rows = results_of("images", *arguments, json_file=tmp_path / "images.json")
    assert ratios.keys() == {"speed_with_loader", "on_device_vs_2_workers"}
    assert {row["what"] for row in rows} >= {"loader, 2 workers", "on the device", "random numbers", "step, one batch"}
    for row in rows:
        assert row["images_per_s"] * row["ms"] == pytest.approx(8000)
        assert row["min_ms"] <= row["ms"]


@pytest.mark.thorough
def test_image_views(tmp_path: Path) -> None:
    ratios, rows = results_of("image_views", "--quick", "--pixels", 64, json_file=tmp_path / "image_views.json")
    assert {"view_1_vs_torchvision", "view_2_vs_torchvision", "colorjitter_vs_torchvision"} <= ratios.keys()
    assert {row["what"] for row in rows} == {name.removesuffix("_vs_torchvision") for name in ratios}
