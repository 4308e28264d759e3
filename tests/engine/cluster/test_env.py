"""Rank and address from the environment variables of each launcher."""

import pytest

from sce_video.engine.cluster.env import RankEnv, first_host, rank_from_env
from sce_video.errors import UserError

TORCHRUN = {"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4", "MASTER_ADDR": "node1", "MASTER_PORT": "29500"}
# As srun sets them for the third of four tasks on two nodes.
SRUN = {
    "SLURM_JOB_ID": "77",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu[007-008]",
}


@pytest.mark.parametrize(
    "environ", [{}, {"WORLD_SIZE": "1", "RANK": "0"}, {"SLURM_PROCID": "0"}, {**SRUN, "WORLD_SIZE": "1", "RANK": "0"}]
)
def test_a_single_process_has_no_rank(environ: dict[str, str]) -> None:
    """Also an allocation without srun, one of a single task, and torchrun's only process in a step of several tasks."""
    assert rank_from_env(environ) is None


def test_torchrun() -> None:
    assert rank_from_env(TORCHRUN) == RankEnv(rank=3, local_rank=1, num_ranks=4, address="node1", port=29500)


def test_srun() -> None:
    env = rank_from_env(SRUN)
    assert env is not None
    assert (env.rank, env.local_rank, env.num_ranks, env.address) == (2, 0, 4, "gpu007")
    other_task, other_job = rank_from_env({**SRUN, "SLURM_PROCID": "3"}), rank_from_env({**SRUN, "SLURM_JOB_ID": "78"})
    assert other_task is not None
    assert other_job is not None
    assert env.port == other_task.port
    assert env.port != other_job.port
    assert 20000 <= env.port < 32768  # Linux's ephemeral ports begin above


def test_torchrun_inside_srun_wins() -> None:
    assert rank_from_env({**SRUN, **TORCHRUN}) == rank_from_env(TORCHRUN)


@pytest.mark.parametrize("missing", ["LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"])
def test_missing_and_invalid_variables_are_named(missing: str) -> None:
    with pytest.raises(UserError, match=f"the environment variable {missing} is not set"):
        rank_from_env({name: value for name, value in TORCHRUN.items() if name != missing})
    with pytest.raises(UserError, match="LOCAL_RANK is 'x'; a number was expected"):
        rank_from_env({**TORCHRUN, "LOCAL_RANK": "x"})


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[007-009]", "gpu007"),
        ("gpu[3,5-6],x1", "gpu3"),
        ("a-b[10-12]", "a-b10"),
        ("127.0.0.11,127.0.0.12", "127.0.0.11"),
        ("rack[1-2]-x", "rack1-x"),
    ],
)
def test_first_host_of_slurms_list(nodes: str, first: str) -> None:
    assert first_host(nodes) == first
