"""Rank of this process and address of rank 0, from the environment that torchrun, submitit or Slurm sets."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from sce_video.errors import UserError

_START_VARIABLES = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")


@dataclass(frozen=True)
class RankEnv:
    """This process among those of the run; rank 0 listens at `address` and `port`."""

    rank: int
    local_rank: int
    num_ranks: int
    address: str
    port: int


def rank_from_env(environ: Mapping[str, str] = os.environ) -> RankEnv | None:
    """The rank that torchrun (or `start_ranks`), submitit or Slurm gave this process; None if it is the only one.

    Raises:
        UserError: a variable is missing or not a number.
    """
    if is_under_torchrun(environ):
        if _number(environ, "WORLD_SIZE") == 1:
            return None
        return RankEnv(
            rank=_number(environ, "RANK"),
            local_rank=_number(environ, "LOCAL_RANK"),
            num_ranks=_number(environ, "WORLD_SIZE"),
            address=_text(environ, "MASTER_ADDR"),
            port=_number(environ, "MASTER_PORT"),
        )
    if environ.get("SUBMITIT_EXECUTOR") == "local" and _number(environ, "SUBMITIT_LOCAL_NTASKS") > 1:
        return RankEnv(
            rank=_number(environ, "SUBMITIT_LOCAL_GLOBALID"),
            local_rank=_number(environ, "SUBMITIT_LOCAL_LOCALID"),
            num_ranks=_number(environ, "SUBMITIT_LOCAL_NTASKS"),
            address="127.0.0.1",
            port=_port_of(environ.get("SUBMITIT_LOCAL_JOB_ID", "")),
        )
    if "SLURM_PROCID" in environ and "SLURM_STEP_NUM_TASKS" in environ and _number(environ, "SLURM_STEP_NUM_TASKS") > 1:
        return RankEnv(
            rank=_number(environ, "SLURM_PROCID"),
            local_rank=_number(environ, "SLURM_LOCALID"),
            num_ranks=_number(environ, "SLURM_STEP_NUM_TASKS"),
            address=first_host(_text(environ, "SLURM_STEP_NODELIST")),
            port=_port_of(".".join(environ.get(name, "") for name in _START_VARIABLES)),
        )
    return None


def is_under_torchrun(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun (or `start_ranks`) started this process, alone or as one of several."""
    return "RANK" in environ and "WORLD_SIZE" in environ


class SlurmJob(TypedDict):
    """Id of a Slurm job, and how often it was requeued; "" and 0 outside Slurm."""

    job: str
    restart: int


def slurm_job(environ: Mapping[str, str] = os.environ) -> SlurmJob:
    """The job of this process."""
    job = environ.get("SLURM_JOB_ID", "")
    return SlurmJob(job=job, restart=int(environ.get("SLURM_RESTART_COUNT", "0")) if job else 0)


def _port_of(job: str) -> int:
    """A port for all tasks of a job; the next job on these nodes, and the job when requeued, get another one.

    Below 32768, where Linux's ephemeral ports begin.
    """
    return 20000 + int.from_bytes(hashlib.sha256(job.encode()).digest()[:4], "little") % 12000


def first_host(node_list: str) -> str:
    """First host of a compact Slurm list: `gpu[007-009,12],x1` -> `gpu007`."""
    found = re.match(r"([^\[,]+)(?:\[([^\],-]+)[^\]]*\])?([^,]*)", node_list)
    assert found is not None, node_list
    return found[1] + (found[2] or "") + found[3]


def _number(environ: Mapping[str, str], name: str) -> int:
    text = _text(environ, name)
    if not text.isdecimal():
        raise UserError(f"the environment variable {name} is {text!r}; a number was expected")
    return int(text)


def _text(environ: Mapping[str, str], name: str) -> str:
    if name not in environ:
        raise UserError(
            f"the environment variable {name} is not set, but others announce several processes; use torchrun or srun"
        )
    return environ[name]
