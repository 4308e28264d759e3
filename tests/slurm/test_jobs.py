"""Jobs of two nodes on a real Slurm: whatever happens to them, the weights are those of an undisturbed run."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sce_video.runtime.checkpoints import CheckpointFolder
from tests.slurm.conftest import slurm_local
from tests.tools.test_run_net import SMALL

# All on one worker: there is one cluster per machine.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]

REPOSITORY = Path(__file__).resolve().parents[2]
NUM_STEPS = 40 * 3
MANY_STEPS = {
    "TRAIN.NUM_EPOCHS": "40",
    "TRAIN.CHECKPOINT_EVERY_STEPS": "5",
    "TRAIN.LOG_EVERY_STEPS": "20",
    "TRAIN.NUM_CHECKPOINTS_KEPT": "2",
}


def arguments_of(videos: Path, output_dir: Path) -> list[str]:
    settings = {**SMALL, **MANY_STEPS, "DATA.ROOT": str(videos), "RUN.OUTPUT_DIR": str(output_dir)}
    return ["--cfg", "configs/demo_sce.yaml", *(text for pair in settings.items() for text in pair)]


def program(name: str, *arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, f"tools/{name}", *arguments], cwd=REPOSITORY, capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    state = CheckpointFolder(folder / "checkpoints", num_kept=1).load_newest()
    assert state is not None
    assert state["step"] == NUM_STEPS
    model: dict[str, torch.Tensor] = state["model"]
    return model


@pytest.fixture(scope="module")
def undisturbed(cluster: dict[str, str], motion_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two processes without Slurm."""
    folder = tmp_path_factory.mktemp("undisturbed")
    program("run_net.py", "--nproc", "2", *arguments_of(motion_videos, folder), env=cluster)
    return folder


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"{what} has not come"
        time.sleep(0.2)


def scontrol(env: dict[str, str], *arguments: str) -> str:
    return subprocess.run(["scontrol", *arguments], env=env, capture_output=True, text=True, check=True).stdout


def has_ended(shown: str) -> bool:
    state = re.search(r"JobState=(\w+)", shown)
    assert state is not None, shown
    if state[1] in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED"):
        return False
    assert state[1] == "COMPLETED", shown
    return True


def by_time(env: dict[str, str], job: str) -> None:
    """What Slurm sends before the time is over."""
    subprocess.run(["scancel", "--signal=USR2", job], env=env, check=True)


def by_hand(env: dict[str, str], job: str) -> None:
    scontrol(env, "requeue", job)


def by_a_dead_node(env: dict[str, str], job: str) -> None:
    """Its daemon, the job's processes on it, all at once; there is a third node to go on with.

    It stays dead: to one that comes back at once Slurm may still send the end of the job that it had.
    """
    nodes = subprocess.run(["squeue", "-h", "-o", "%N", "-j", job], env=env, capture_output=True, text=True, check=True)
    last = scontrol(env, "show", "hostnames", nodes.stdout.strip()).split()[-1]
    slurm_local("node-off", last.removeprefix("node"))
    wait_until(lambda: "JobState=RUNNING" not in scontrol(env, "show", "job", job), "the requeue")


def follow(job: str, env: dict[str, str], folder: Path, happens: Callable[[dict[str, str], str], None] | None) -> None:
    """Wait for some steps, let it happen, wait for the end."""
    checkpoints = CheckpointFolder(folder / "checkpoints", num_kept=1)
    wait_until(lambda: checkpoints.steps()[-1:] >= [10], "a checkpoint")
    assert checkpoints.steps()[-1] < NUM_STEPS, "the run was over too soon"
    if happens is not None:
        happens(env, job)
    wait_until(lambda: has_ended(scontrol(env, "show", "job", job)), "the end")


def assert_is(folder: Path, undisturbed: Path) -> None:
    ours, theirs = final_state(folder), final_state(undisturbed)
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


def test_a_batch_script_of_ones_own_comes_again(
    cluster: dict[str, str], motion_videos: Path, undisturbed: Path, tmp_path: Path
) -> None:
    command = shlex.join(["srun", sys.executable, "tools/run_net.py", *arguments_of(motion_videos, tmp_path)])
    batch = ["sbatch", "--parsable", "--nodes", "2", "--requeue", "--output", f"{tmp_path}/log", "--wrap", command]
    job = subprocess.run(batch, cwd=REPOSITORY, capture_output=True, text=True, check=True, env=cluster).stdout.strip()
    follow(job, cluster, tmp_path, by_time)
    assert_is(tmp_path, undisturbed)
    assert (tmp_path / "run.log").read_text().count("resumed from") == 1


@pytest.mark.parametrize("happens", [None, by_time, by_hand, by_a_dead_node])  # the last ends a node
def test_a_job_of_two_nodes_ends_with_the_same_bits(
    cluster: dict[str, str],
    motion_videos: Path,
    undisturbed: Path,
    tmp_path: Path,
    happens: Callable[[dict[str, str], str], None] | None,
) -> None:
    resources = ["--nodes", "2", "--gpus-per-node", "0", "--cpus-per-task", "1", "--time", "30"]
    said = program("submit.py", *resources, *arguments_of(motion_videos, tmp_path), env=cluster)
    found = re.search(r"submitted 1 job: (\d+)\nlog: (\S+)\nfollow: tail -F \2\n", said)
    assert found is not None, said
    follow(found[1], cluster, tmp_path, happens)
    assert_is(tmp_path, undisturbed)
    log = (tmp_path / "run.log").read_text()
    assert log.count("resumed from") == (happens is not None)
    assert ("stopped by signal 12" in log) == (happens is by_time)


def test_what_slurm_refuses_is_one_line(cluster: dict[str, str], motion_videos: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "tools/submit.py",
        "--partition",
        "nowhere",
        "--gpus-per-node",
        "0",
        *arguments_of(motion_videos, tmp_path),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, env=cluster)
    assert done.returncode == 2
    assert "error: sbatch refuses the job: " in done.stderr
    assert "invalid partition" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_job_runs_the_copy_that_was_made_of_the_code(
    cluster: dict[str, str], motion_videos: Path, tmp_path: Path
) -> None:
    """What is edited later in the checkout does not count: here it is the copy that is edited, while the job waits."""
    resources = ["--nodes", "1", "--gpus-per-node", "0", "--cpus-per-task", "1", "--time", "30", "--sbatch", "hold"]
    short = ["TRAIN.NUM_EPOCHS", "1"]
    said = program("submit.py", *resources, *arguments_of(motion_videos, tmp_path), *short, env=cluster)
    (copy,) = (tmp_path / "submitted").glob("*/sce_video")
    assert (copy / "train" / "loop.py").read_text() == (REPOSITORY / "sce_video" / "train" / "loop.py").read_text()
    assert (copy / "commit.txt").read_text().strip() != "unknown"
    (copy / "commit.txt").write_text("that of the copy")
    found = re.search(r"submitted 1 job: (\d+)", said)
    assert found is not None
    scontrol(cluster, "release", found[1])
    wait_until(lambda: (tmp_path / "backbone.safetensors").is_file(), "the end")
    state = CheckpointFolder(tmp_path / "checkpoints", num_kept=1).load_newest()
    assert state is not None
    assert state["environment"]["commit"] == "that of the copy"
