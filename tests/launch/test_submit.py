"""What is asked of Slurm, without one; tests/slurm has the jobs themselves."""

import pytest

from sce_video.errors import ConfigError, UserError
from sce_video.launch.submit import gpus_of_jobs, minutes_of, parse_array


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("90", 90), ("24:00:00", 1440), ("1-12", 2160), ("1-12:30", 2190), ("2-00:00:00", 2880)),
        *(("0:10:01", 11), ("5:30", 6), ("5:00", 5)),
    ],
)
def test_slurms_forms_of_a_time(text: str, minutes: int) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "a day", "1:2:3:4", "-5", "1.5"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="give minutes, HH:MM:SS or D-HH:MM:SS"):
        minutes_of(text)


def test_the_values_of_an_array() -> None:
    assert parse_array(["OPTIM.BASE_LR", "0.1,0.2"]) == ("OPTIM.BASE_LR", ["0.1", "0.2"])
    with pytest.raises(ConfigError, match="a value is given twice"):
        parse_array(["OPTIM.BASE_LR", "0.1,0.1"])


def test_jobs_of_this_machine_share_no_gpu() -> None:
    visible = ["4", "5", "GPU-8932f937", "7"]
    assert gpus_of_jobs(visible, num_jobs=1, gpus_per_job=2) == ["4,5"]
    assert gpus_of_jobs(visible, num_jobs=2, gpus_per_job=2) == ["4,5", "GPU-8932f937,7"]
    assert gpus_of_jobs(visible, num_jobs=3, gpus_per_job=0) == [None] * 3
    assert gpus_of_jobs([], num_jobs=2, gpus_per_job=1) == [None] * 2  # no GPU here: on the processors
    with pytest.raises(UserError, match="3 jobs at once with --gpus-per-node 2 want 6 GPUs, but there are 4 here"):
        gpus_of_jobs(visible, num_jobs=3, gpus_per_job=2)
