"""Submission without Slurm; tests/slurm has the jobs themselves."""

import pytest

from sce_video.errors import UserError
from sce_video.launch.slurm import gpus_of_jobs


def test_jobs_of_this_machine_share_no_gpu() -> None:
    visible = ["4", "5", "GPU-8932f937", "7"]
    assert gpus_of_jobs(visible, num_jobs=1, gpus_per_job=2) == ["4,5"]
    assert gpus_of_jobs(visible, num_jobs=2, gpus_per_job=2) == ["4,5", "GPU-8932f937,7"]
    assert gpus_of_jobs(visible, num_jobs=3, gpus_per_job=0) == [None] * 3
    assert gpus_of_jobs([], num_jobs=2, gpus_per_job=1) == [None] * 2  # no GPU here: on the CPUs
    with pytest.raises(UserError, match="3 jobs at once with --gpus-per-node 2 need 6 GPUs, but there are 4 here"):
        gpus_of_jobs(visible, num_jobs=3, gpus_per_job=2)
