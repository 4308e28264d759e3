"""Jobs of two nodes on a real Slurm: whatever interrupts them, the weights equal those of an undisturbed run."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from sce_video.runtime.checkpoints import CheckpointFolder
from tests.settings import used_overrides
from tests.slurm.conftest import slurm_local
from tests.tools.test_run_net import SMALL

# All on one worker: there is one cluster per machine.
pytestmark = pytest.mark.xdist_group("slurm")

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
    return ["--cfg", "configs/demo_sce.yaml", *used_overrides(REPOSITORY / "configs/demo_sce.yaml", settings)]


def program(name: str, *arguments: str, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, f"tools/{name}", *arguments], cwd=REPOSITORY, capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def submitted(env: dict[str, str], arguments: list[str], *, minutes: int) -> str:
    """Submit a job of two nodes; returns its id."""
    resources = ["--nodes", "2", "--gpus-per-node", "0", "--cpus-per-task", "1"]
    resources += ["--time", str(minutes), "--signal-delay", "5"]
    output = program("submit.py", *resources, *arguments, env=env)
    found = re.search(r"submitted 1 job: (\d+)\nlog: (\S+)\nfollow: tail -F \2\n", output)
    assert found is not None, output
    return found[1]


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
        assert time.monotonic() < until, f"{what} has not happened"
        time.sleep(0.2)


def scontrol(env: dict[str, str], *arguments: str) -> str:
    return subprocess.run(["scontrol", *arguments], env=env, capture_output=True, text=True, check=True).stdout


FAILED_STATES = {"BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"}


def has_ended(shown: str) -> bool:
    """Slurm also shows passing states here, such as SIGNALING and STOPPED."""
    state = re.search(r"JobState=(\w+)", shown)
    assert state is not None, shown
    assert state[1] not in FAILED_STATES, shown
    return state[1] == "COMPLETED"


def by_signal(env: dict[str, str], job: str) -> None:
    """The signal that Slurm sends before the time limit."""
    subprocess.run(["scancel", "--signal=USR2", job], env=env, check=True)


def by_the_time_limit(env: dict[str, str], job: str) -> None:
    """Limits are whole minutes, checked every half minute: slow the job down until then."""
    process = pid_of(job, rank=1)
    while "JobState=RUNNING" in scontrol(env, "show", "job", job):
        with suppress(ProcessLookupError):
            for number, seconds in ((signal.SIGSTOP, 1.5), (signal.SIGCONT, 0.05)):
                os.kill(process, number)
                time.sleep(seconds)


def by_hand(env: dict[str, str], job: str) -> None:
    scontrol(env, "requeue", job)


def by_preemption(env: dict[str, str], job: str) -> None:
    """A job of higher priority briefly needs all nodes."""
    urgent = ["sbatch", "--parsable", "--partition", "urgent", "--nodes", "3", "--exclusive", "--output", "/dev/null"]
    subprocess.run([*urgent, "--wrap", "true"], env=env, check=True, capture_output=True)
    wait_until(lambda: "JobState=RUNNING" not in scontrol(env, "show", "job", job), "the preemption")


def by_a_killed_rank(env: dict[str, str], job: str, *, rank: int = 1) -> None:
    """As by the kernel when memory is full; node and daemon live."""
    os.kill(pid_of(job, rank=rank), signal.SIGKILL)
    wait_until(lambda: "Restarts=1 " in scontrol(env, "show", "job", job), "the requeue", seconds=60)


def by_a_killed_first_rank(env: dict[str, str], job: str) -> None:
    """The rank that would have requested the requeue."""
    by_a_killed_rank(env, job, rank=0)


def by_a_dead_node(env: dict[str, str], job: str) -> None:
    """Its daemon, the job's processes on it, all at once; a third node is there to continue on."""
    slurm_local("node-off", last_node(env, job))
    wait_until(lambda: "Restarts=1 " in scontrol(env, "show", "job", job), "the requeue", seconds=60)


def by_a_dead_daemon(env: dict[str, str], job: str) -> None:
    """For Slurm the node is dead, but the job's process on it lives on."""
    process = pid_of(job, rank=1)
    slurm_local("slurmd-off", last_node(env, job))
    wait_until(lambda: "Restarts=1 " in scontrol(env, "show", "job", job), "the requeue")
    assert Path(f"/proc/{process}").exists()


def last_node(env: dict[str, str], job: str) -> str:
    """Number of a job's last node."""
    nodes = subprocess.run(["squeue", "-h", "-o", "%N", "-j", job], env=env, capture_output=True, text=True, check=True)
    return scontrol(env, "show", "hostnames", nodes.stdout.strip()).split()[-1].removeprefix("node")


def pid_of(job: str, *, rank: int) -> int:
    """Process id of a rank of a job; all nodes are this machine."""
    wanted = {f"SLURM_JOB_ID={job}", f"SLURM_PROCID={rank}"}
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0") if folder.name.isdecimal() else [b""]
            is_task = words[0].endswith(b"python") and b"submitit.core._submit" in words  # and not srun
            if is_task and wanted <= set((folder / "environ").read_text().split("\0")):
                return int(folder.name)
    raise AssertionError(f"rank {rank} of job {job} has no process")


@pytest.fixture
def all_nodes(cluster: dict[str, str]) -> Iterator[None]:
    """Restart what a test has ended, after its job."""
    yield
    for node in range(1, 4):
        state = scontrol(cluster, "show", "node", f"node{node}")
        if "State=DOWN" in state or "NOT_RESPONDING" in state or "State=IDLE*" in state:
            slurm_local("node-off", str(node))  # with what is left of it
            slurm_local("node-on", str(node))


def follow(job: str, env: dict[str, str], folder: Path, happens: Callable[[dict[str, str], str], None]) -> None:
    """Wait for some steps, call `happens`, wait for the end of the job."""
    checkpoints = CheckpointFolder(folder / "checkpoints", num_kept=1)
    wait_until(lambda: checkpoints.steps()[-1:] >= [10], "a checkpoint")
    assert checkpoints.steps()[-1] < NUM_STEPS, "the run was over too soon"
    happens(env, job)
    wait_until(lambda: has_ended(scontrol(env, "show", "job", job)), "the end")


def assert_is(folder: Path, undisturbed: Path) -> None:
    ours, theirs = final_state(folder), final_state(undisturbed)
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize(
    ("happens", "message"),
    [
        (by_signal, "stopped by signal 12 after"),
        pytest.param(by_preemption, "stopped by signal 15 after", marks=pytest.mark.thorough),
    ],
)
def test_a_custom_batch_script_is_requeued(
    cluster: dict[str, str],
    motion_videos: Path,
    undisturbed: Path,
    tmp_path: Path,
    happens: Callable[[dict[str, str], str], None],
    message: str,
) -> None:
    command = shlex.join(["srun", sys.executable, "tools/run_net.py", *arguments_of(motion_videos, tmp_path)])
    batch = ["sbatch", "--parsable", "--nodes", "2", "--requeue", "--output", f"{tmp_path}/log", "--wrap", command]
    job = subprocess.run(batch, cwd=REPOSITORY, capture_output=True, text=True, check=True, env=cluster).stdout.strip()
    follow(job, cluster, tmp_path, happens)
    assert_is(tmp_path, undisturbed)
    log = (tmp_path / "run.log").read_text()
    assert log.count("resumed from") == 1
    assert message in log


@pytest.mark.usefixtures("all_nodes")
@pytest.mark.parametrize(
    ("happens", "message"),
    [
        pytest.param(by_the_time_limit, "stopped by signal 12 after", marks=pytest.mark.thorough),
        pytest.param(by_hand, "", marks=pytest.mark.thorough),
        (by_preemption, "stopped by signal 12 after"),  # requested by the job; this Slurm also sends it at preemption
        (by_a_killed_rank, r"rank 1 on \S+ has ended; the other processes stop"),
        pytest.param(by_a_killed_first_rank, "", marks=pytest.mark.thorough),  # it writes the log
        (by_a_dead_node, r"rank 1 on \S+ has ended; the other processes stop"),
        pytest.param(by_a_dead_daemon, "", marks=pytest.mark.thorough),
    ],
)
def test_a_job_of_two_nodes_ends_with_the_same_bits(
    cluster: dict[str, str],
    motion_videos: Path,
    undisturbed: Path,
    tmp_path: Path,
    happens: Callable[[dict[str, str], str], None],
    message: str,
) -> None:
    minutes = 1 if happens is by_the_time_limit else 30
    job = submitted(cluster, arguments_of(motion_videos, tmp_path), minutes=minutes)
    follow(job, cluster, tmp_path, happens)
    assert_is(tmp_path, undisturbed)
    log = (tmp_path / "run.log").read_text()
    num_times = log.count("resumed from")
    assert num_times == 1 or (num_times > 1 and happens is by_the_time_limit)  # a minute may end more than once
    assert re.search(message, log), log


def test_a_users_kill_is_not_requeued(cluster: dict[str, str], motion_videos: Path, tmp_path: Path) -> None:
    """Slurm has not sent it, so there is nothing to wait for."""
    job = submitted(cluster, arguments_of(motion_videos, tmp_path), minutes=30)
    steps = CheckpointFolder(tmp_path / "checkpoints", num_kept=1).steps
    wait_until(lambda: steps()[-1:] >= [10], "a checkpoint")
    os.kill(pid_of(job, rank=1), signal.SIGTERM)
    wait_until(lambda: "JobState=FAILED" in scontrol(cluster, "show", "job", job), "the end", seconds=60)
    assert "Restarts=0 " in scontrol(cluster, "show", "job", job)
    assert f"stopped by signal 15 after {steps()[-1]} steps" in (tmp_path / "run.log").read_text()


@pytest.mark.thorough
def test_one_task_of_an_array_is_requeued_alone(cluster: dict[str, str], motion_videos: Path, tmp_path: Path) -> None:
    """The task whose number is that of the whole array."""
    command = shlex.join([sys.executable, "tools/run_net.py", *arguments_of(motion_videos, tmp_path)])
    batch = ["sbatch", "--parsable", "--array", "1-2", "--requeue", "--output", f"{tmp_path}/log_%a", "--wrap"]
    batch.append(f"srun {command}/$SLURM_ARRAY_TASK_ID")  # ends with the output folder
    array = subprocess.run(
        batch, cwd=REPOSITORY, capture_output=True, text=True, check=True, env=cluster
    ).stdout.strip()
    folders = [tmp_path / task for task in "12"]
    steps = [CheckpointFolder(folder / "checkpoints", num_kept=1).steps for folder in folders]
    wait_until(lambda: all(of_task()[-1:] >= [10] for of_task in steps), "a checkpoint")
    shown = ["squeue", "-h", "-j", array, "-o", "%A %K"]
    tasks = subprocess.run(shown, env=cluster, capture_output=True, text=True, check=True).stdout.split()
    numbers = dict(zip(tasks[::2], tasks[1::2], strict=True))
    assert len(numbers) == 2, "a run was over too soon"
    by_signal(cluster, f"{array}_{numbers[array]}")
    for task in "12":
        wait_until(lambda name=f"{array}_{task}": has_ended(scontrol(cluster, "show", "job", name)), "the end")
    restarts = {task: "Restarts=1 " in scontrol(cluster, "show", "job", f"{array}_{task}") for task in "12"}
    assert restarts == {task: task == numbers[array] for task in "12"}
    assert_is(*folders)  # of the same config and seed


def test_a_refusal_of_slurm_is_one_line(cluster: dict[str, str], motion_videos: Path, tmp_path: Path) -> None:
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


def test_a_job_runs_the_submitted_copy_of_the_code(
    cluster: dict[str, str], motion_videos: Path, tmp_path: Path
) -> None:
    """Later edits of the checkout do not count: here the copy is edited while the job waits."""
    resources = ["--nodes", "1", "--gpus-per-node", "0", "--cpus-per-task", "1", "--time", "30", "--sbatch", "hold"]
    short = ["TRAIN.NUM_EPOCHS", "1"]
    output = program("submit.py", *resources, *arguments_of(motion_videos, tmp_path), *short, env=cluster)
    (copy,) = (tmp_path / "submitted").glob("*/sce_video")
    assert (copy / "train" / "loop.py").read_text() == (REPOSITORY / "sce_video" / "train" / "loop.py").read_text()
    assert (copy / "commit.txt").read_text().strip() != "unknown"
    (copy / "commit.txt").write_text("that of the copy")
    found = re.search(r"submitted 1 job: (\d+)", output)
    assert found is not None
    scontrol(cluster, "release", found[1])
    wait_until(lambda: (tmp_path / "backbone.safetensors").is_file(), "the end")
    state = CheckpointFolder(tmp_path / "checkpoints", num_kept=1).load_newest()
    assert state is not None
    assert state["environment"]["commit"] == "that of the copy"
