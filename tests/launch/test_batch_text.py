"""Batch scripts are run by bash here, with an `srun` that records its arguments."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import submitit

from sce_video.cli.prepare import SlurmArray
from sce_video.config import load_config
from sce_video.engine.prepare.actions import Transcode
from sce_video.errors import UserError
from sce_video.launch.slurm import Resources, batch_script, submit
from tests.cli.test_prepare import LIMITS, submit_shards

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"
HOSTILE = [
    """it's "here" $(touch owned) `touch owned`""",
    "a; touch owned; #",
    "-o owned && touch owned | touch owned > owned",
    "\\ \\' \\\" * ? [a] {a,b} ~ !! $? $$ $-",
    "'; touch owned; '",
    "日本 🎬",
]


def resources(partition: str | None = "gpu", **more: str | bool) -> Resources:
    return Resources(
        nodes=2,
        gpus_per_node=4,
        cpus_per_task=8,
        minutes=90,
        partition=partition,
        signal_delay_seconds=120,
        more=dict(more),
    )


def run_by_bash(script: str, folder: Path) -> dict[str, object]:
    """What `srun` was given and the job's PYTHONPATH; the script leaves nothing else in the folder."""
    programs = folder / "programs"
    programs.mkdir()
    told = "import json, os, sys; json.dump([sys.argv[1:], os.environ['PYTHONPATH']], open(os.environ['TOLD'], 'w'))"
    (programs / "srun").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(told)} "$@"\n')
    (programs / "srun").chmod(0o755)
    empty = folder / "cwd"
    empty.mkdir()
    (folder / "script.sh").write_text(script, encoding="utf-8")
    environ = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "TOLD": str(folder / "told.json"),
        "HOME": str(empty),
        "PYTHONPATH": "",
    }
    done = subprocess.run(["bash", str(folder / "script.sh")], cwd=empty, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(empty.iterdir()) == []
    arguments, python_path = json.loads((folder / "told.json").read_text())
    return {"arguments": arguments, "python_path": python_path}


def asked_of_slurm(script: str) -> dict[str, str]:
    """The parameters, read as Slurm reads them: lines in front of the first command, with quotes."""
    lines = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    pairs = [shlex.split(line.removeprefix("#SBATCH"))[0].partition("=") for line in lines]
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_nothing_but_names(name: str, tmp_path: Path) -> None:
    home = tmp_path / "runs" / name
    text = batch_script(CONFIG, ["RUN.OUTPUT_DIR", str(home)], resources=resources(name, comment=name))
    asked = asked_of_slurm(text)
    assert (asked["--partition"], asked["--comment"], asked["--job-name"]) == (name, name, name)
    assert asked["--output"] == f"{home}/submitted/%j_0_log.out"
    seen = run_by_bash(text, tmp_path)
    arguments = seen["arguments"]
    assert isinstance(arguments, list)
    assert arguments[:3] == ["--unbuffered", "--output", f"{home}/submitted/%j_%t_log.out"]
    assert arguments[-5:] == [sys.executable, "-u", "-m", "submitit.core._submit", f"{home}/submitted"]
    assert seen["python_path"] == f"{home}/submitted/CODE"
    assert not home.exists()


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\x00", "\x0b", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\udcff"]
)
def test_control_characters_are_refused_before_anything_is_done(character: str, tmp_path: Path) -> None:
    text = f"a{character}touch {tmp_path}/owned #"
    home = ["RUN.OUTPUT_DIR", str(tmp_path / "runs")]
    for file, overrides, wanted, array in (
        (CONFIG, ["RUN.OUTPUT_DIR", f"{tmp_path}/{text}"], resources(), {}),
        (CONFIG, [*home, "DATA.TRAIN", text], resources(), {}),
        (CONFIG, home, resources(text), {}),
        (CONFIG, home, resources(comment=text), {}),
        (CONFIG, home, resources(**{text: True}), {}),
        (f"{tmp_path}/{text}", home, resources(), {}),
        (CONFIG, home, resources(), {"OPTIM.BASE_LR": ["0.1", text]}),
        (CONFIG, home, resources(), {text: ["0.1"]}),
    ):
        with pytest.raises(UserError) as caught:
            submit(file, overrides, resources=wanted, array=array, cluster="slurm")
        message = str(caught.value)
        assert message.isprintable(), message
        with pytest.raises(UserError, match="control character|is not NAME=VALUE"):
            batch_script(file, overrides, resources=wanted, array=array)
    assert list(tmp_path.iterdir()) == []


def test_an_array_that_cannot_be_run_has_no_script(tmp_path: Path) -> None:
    home = ["RUN.OUTPUT_DIR", str(tmp_path / "runs")]
    with pytest.raises(UserError, match="OPTIM.BASE_LR is 'high'"):
        batch_script(CONFIG, home, resources=resources(), array={"OPTIM.BASE_LR": ["0.1", "high"]})
    with pytest.raises(UserError, match="OPTIM.BASE_LRR"):
        batch_script(CONFIG, home, resources=resources(), array={"OPTIM.BASE_LRR": ["0.1"]})
    assert list(tmp_path.iterdir()) == []


def test_a_config_with_control_characters_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f'_BASE_: {CONFIG}\nRUN:\n  OUTPUT_DIR: "{tmp_path}/a\\ntouch owned"\n')
    with pytest.raises(UserError, match=r"RUN.OUTPUT_DIR is .*\\ntouch owned"):
        batch_script(config, [], resources=resources())


def test_a_line_break_in_the_working_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a\ntouch owned").mkdir()
    monkeypatch.chdir(tmp_path / "a\ntouch owned")
    with pytest.raises(UserError, match="the working directory"):
        batch_script(CONFIG, [], resources=resources())


@pytest.mark.parametrize("name", ["qos normal", "qos #", "", "-n", "qos;ls"])
def test_only_names_of_parameters(name: str) -> None:
    with pytest.raises(UserError, match="is not NAME=VALUE"):
        batch_script(CONFIG, [], resources=resources(**{name: "a"}))


def test_the_array_of_prepare_data_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--partition is 'gpu\\ntouch owned'"):
        SlurmArray(num_jobs=1, partition="gpu\ntouch owned", time_minutes=1, cpus_per_task=1)
    array = SlurmArray(num_jobs=1, partition="gpu", time_minutes=1, cpus_per_task=1)
    with pytest.raises(UserError, match=r"b\\ntouch owned"):
        submit_shards(
            tmp_path,
            tmp_path / "b\ntouch owned",
            Transcode(),
            limits=LIMITS,
            array=array,
            follow_outside=False,
            retry_broken=False,
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "folders"),
    [
        ({}, [""]),
        ({"OPTIM.BASE_LR": ["0.1"]}, ["/base_lr_0.1"]),
        (
            {"METHOD.COEFF": ["0.5", "1.0"], "RUN.SEED": ["1", "2"]},
            [f"/coeff_{c}/seed_{s}" for c in (0.5, 1.0) for s in (1, 2)],
        ),
    ],
)
def test_the_script_is_what_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, array: dict[str, list[str]], folders: list[str]
) -> None:
    """With `sbatch` replaced: its input, except for the folder of the copied code and the job id."""
    (tmp_path / "srun").write_text("#!/bin/sh\n")
    (tmp_path / "sbatch").write_text(f'#!/bin/sh\ncp "$1" {tmp_path}/given.sh\necho Submitted batch job 7\n')
    for program in ("srun", "sbatch"):
        (tmp_path / program).chmod(0o755)
    overrides = ["RUN.OUTPUT_DIR", str(tmp_path / "run")]
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    shown = batch_script(CONFIG, overrides, resources=resources(account="me"), array=array)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    jobs = submit(CONFIG, overrides, resources=resources(account="me"), array=array, cluster="slurm")
    assert len(jobs) == len(folders)
    assert isinstance(jobs[0], submitit.Job)
    assert asked_of_slurm(shown).get("--array") == ("0-3%4" if len(jobs) == 4 else None)
    (code,) = [path.name for path in (tmp_path / "run" / "submitted").iterdir() if path.is_dir()]
    files = [tmp_path / "run" / "submitted" / code / f"{number}.yaml" for number in range(len(jobs))]
    assert [load_config(file).RUN.OUTPUT_DIR for file in files] == [f"{tmp_path}/run{folder}" for folder in folders]
    given = (tmp_path / "given.sh").read_text()
    assert given.replace(f"submitted/{code}", "submitted/CODE").strip() == shown.strip()
