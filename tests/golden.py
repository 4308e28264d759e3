"""The golden runs: numbers that a refactoring must not change.

    python tests/golden.py --against COMMIT   # compare the bits of COMMIT and this working tree, on this machine
    python tests/golden.py --write            # rewrite tests/golden.json after an intended change; say why

Small runs of every kind on J-HMDB's videos, using only `tools/run_net.py` and config keys, so that any commit can be
measured. Bits differ between CPUs: `tests/tools/test_golden.py` compares the committed numbers with a tolerance.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

REPOSITORY = Path(__file__).resolve().parents[1]
COMMITTED = Path(__file__).with_suffix(".json")
_CLASSES = ("brush_hair", "catch", "golf", "pour")
_NUM_VIDEOS_PER_CLASS = {"train": 8, "test": 4}

_CLIPS = {"CLIP.SECONDS": 0.5, "CLIP.NUM_FRAMES": 8, "MODEL.BACKBONE": "r2plus1d_mini"}
_TRAINING = {
    **_CLIPS,
    "CLIP.SIZE_PIXELS": 32,
    "TRAIN.PRECISION": "fp32",
    "TRAIN.LOG_EVERY_STEPS": 1,
    "DATA.NUM_WORKERS": 0,
}
_PRETRAINING = {
    **_TRAINING,
    "TASK": "pretrain",
    "MODEL.PROJECTOR_DIMS": [64, 64, 32],
    "AUG.BLUR_KERNEL_PIXELS": 5,
    "TRAIN.GLOBAL_BATCH_SIZE": 8,
}
_EVALUATION = {**_CLIPS, "EVAL.SIZE_PIXELS": 32, "EVAL.NUM_CLIPS": 2, "EVAL.NUM_CROPS": 3, "DATA.NUM_WORKERS": 0}
# Accumulated parts, all three ramps, a queue that wraps around during the run: 4 steps per epoch, 20 in total. Learning
# rates are small so that rounding differences stay small: ten times larger ones change the loss by tenths.
_RAMPS = {
    **_PRETRAINING,
    "MODEL.PREDICTOR_HIDDEN_DIM": 0,
    "METHOD.QUEUE_LENGTH": 40,
    "METHOD.COEFF_WARMUP_EPOCHS": 3,
    "METHOD.TEMPERATURE_START": 0.2,
    "METHOD.TEMPERATURE_WARMUP_EPOCHS": 2,
    "METHOD.TARGET_TEMPERATURE_START": 0.07,
    "METHOD.TARGET_TEMPERATURE_WARMUP_EPOCHS": 2,
    "OPTIM.NAME": "adamw",
    "OPTIM.BASE_LR": 0.0003,
    "OPTIM.WARMUP_EPOCHS": 1,
    "TRAIN.ACCUMULATION_STEPS": 2,
    "TRAIN.NUM_EPOCHS": 5,
}
# Predictor, keys of the batch, speeds, LARS.
_IN_BATCH = {
    **_PRETRAINING,
    "CLIP.PAIR": "decreasing",
    "CLIP.SPEEDS": [1.0, 2.0],
    "MODEL.PREDICTOR_HIDDEN_DIM": 64,
    "METHOD.QUEUE_LENGTH": 0,
    "METHOD.IN_BATCH_KEYS": True,
    "METHOD.COEFF": 0.3,
    "OPTIM.BASE_LR": 0.01,
    "OPTIM.WARMUP_EPOCHS": 0,
    "TRAIN.NUM_EPOCHS": 2,
}
_LABELS = {
    **_TRAINING,
    "TASK": "finetune",
    "AUG.CROP": "short_side",
    "AUG.CROP_SHORT_SIDE_PIXELS": [36, 48],
    "AUG.BLUR_PROBABILITIES": [0.0, 0.0],
    "OPTIM.NAME": "sgd",
    "OPTIM.BASE_LR": 0.01,
    "OPTIM.WARMUP_EPOCHS": 1,
    "OPTIM.LAYER_DECAY": 0.7,
    "TRAIN.GLOBAL_BATCH_SIZE": 8,
    "TRAIN.NUM_EPOCHS": 2,
    "TRAIN.MIXUP_ALPHA": 0.3,
    "EVAL.SIZE_PIXELS": 32,
    "EVAL.NUM_CLIPS": 2,
    "EVAL.NUM_CROPS": 1,
}
# Name of the run -> configs of consecutive starts; {ramps} is the folder of that run.
RUNS: dict[str, list[Mapping[str, Any]]] = {
    "ramps": [_RAMPS],
    "two_workers": [{**_RAMPS, "DATA.NUM_WORKERS": 2}],
    "resumed": [{**_RAMPS, "TRAIN.STOP_AT_STEP": 10}, _RAMPS],
    "in_batch": [_IN_BATCH],
    "finetune": [{**_LABELS, "EVAL.CHECKPOINT": "{ramps}"}],
    "extract": [{**_EVALUATION, "TASK": "extract", "EVAL.CHECKPOINT": "{ramps}"}],
    "knn": [{**_EVALUATION, "TASK": "knn", "EVAL.CHECKPOINT": "{ramps}", "EVAL.KNN_NUM_NEIGHBORS": [5]}],
    "retrieval": [{**_EVALUATION, "TASK": "retrieval", "EVAL.CHECKPOINT": "{ramps}", "EVAL.RETRIEVAL_RANKS": [1, 5]}],
    "linear_features": [{**_EVALUATION, "TASK": "linear_features", "EVAL.CHECKPOINT": "{ramps}"}],
}
# Fields of a line of metrics.jsonl; the others are speeds.
_STEP_FIELDS = ("step", "loss", "lr", "coeff", "temperature", "target_temperature", "ema_momentum")


def golden_run(
    checkout: Path, folder: Path, *, videos: Path, names: Iterable[str] = tuple(RUNS)
) -> dict[str, dict[str, Any]]:
    """Run name -> its numbers and digests, with the code of a checkout.

    Args:
        folder: for lists and outputs; must not contain any of these runs.
        videos: J-HMDB's, `shared/data/jhmdb/videos`.
        names: of the runs; evaluations and finetuning need the weights of "ramps".
    Raises:
        AssertionError: a run failed; has its output.
    """
    data = {"DATA.SOURCE": "list", "DATA.ROOT": videos, **_write_lists(folder, videos)}
    no_settings = folder / "empty.yaml"
    no_settings.write_text("{}\n")
    found = {}
    for name in names:
        for settings in RUNS[name]:
            overrides = {**data, **settings, "RUN.OUTPUT_DIR": folder / name}
            if settings["TASK"] == "pretrain":
                del overrides["DATA.TEST"]
            words = [str(word).format(ramps=folder / "ramps") for pair in overrides.items() for word in pair]
            done = subprocess.run(
                [sys.executable, "tools/run_net.py", "--cfg", no_settings, *words],
                cwd=checkout,
                env={**os.environ, "PYTHONPATH": str(checkout)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{name}: {done.stderr[-3000:]}"
        found[name] = _measured(folder / name)
    return found


def _write_lists(folder: Path, videos: Path) -> dict[str, Path]:
    lines: dict[str, list[str]] = {part: [] for part in _NUM_VIDEOS_PER_CLASS}
    for label, name in enumerate(_CLASSES):
        paths = iter(sorted((videos / name).iterdir()))
        for part, count in _NUM_VIDEOS_PER_CLASS.items():
            lines[part] += [f"{next(paths).relative_to(videos)} {label}" for _ in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    for part, of_part in lines.items():
        (folder / f"{part}.txt").write_text("\n".join(of_part) + "\n")
    return {f"DATA.{part.upper()}": folder / f"{part}.txt" for part in lines}


def _measured(run: Path) -> dict[str, Any]:
    """`numbers`, which agree between CPUs up to rounding, and `digests`, which agree only on one machine."""
    numbers: dict[str, Any] = {}
    digests: dict[str, str] = {}
    if (run / "metrics.jsonl").exists():
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        numbers["steps"] = [{name: line[name] for name in _STEP_FIELDS if name in line} for line in lines]
    if (run / "results.json").exists():
        numbers["metrics"] = json.loads((run / "results.json").read_text())["metrics"]
    if (run / "backbone.safetensors").exists():
        digests["backbone"] = _digest(load_file(run / "backbone.safetensors"))
    for newest in sorted((run / "checkpoints").glob("*.pt"))[-1:]:
        digests["model"] = _digest(torch.load(newest, weights_only=True)["model"])
    for part in ("train", "test"):
        if (run / f"{part}.npz").exists():
            features = torch.from_numpy(np.load(run / f"{part}.npz")["features"])
            digests[part] = _digest({"features": features})
            numbers[part] = features.norm(dim=1).tolist()
    return {"numbers": numbers, "digests": digests}


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _golden_run_of(commit: str, folder: Path, *, videos: Path) -> dict[str, dict[str, Any]]:
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(folder / "checkout"), commit], check=True)
    try:
        return golden_run(folder / "checkout", folder / "runs", videos=videos)
    finally:
        subprocess.run([*git, "remove", "--force", str(folder / "checkout")], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--against", metavar="COMMIT")
    what.add_argument("--write", action="store_true")
    parser.add_argument("--videos", type=Path, default=REPOSITORY.parent / "shared/data/jhmdb/videos")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = golden_run(REPOSITORY, Path(folder, "here"), videos=options.videos)
        if options.write:
            lines = [f'"{name}": {json.dumps(run["numbers"])}' for name, run in here.items()]
            COMMITTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
            return 0
        there = _golden_run_of(options.against, Path(folder, "there"), videos=options.videos)
    differing = [name for name in RUNS if here[name] != there[name]]
    for name in RUNS:
        print(f"{name:16s} {'DIFFERS' if name in differing else 'equal':8s} {here[name]['digests']}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
