import pytest

from sce_video.cli.submit import minutes_of, parse_arrays, parse_parameters
from sce_video.errors import ConfigError, UserError


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        *(("90", 90), ("24:00:00", 1440), ("1-12", 2160), ("1-12:30", 2190), ("2-00:00:00", 2880)),
        *(("0:10:01", 11), ("5:30", 6), ("5:00", 5)),
    ],
)
def test_times_as_slurm_writes_them(text: str, minutes: int) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "a day", "1:2:3:4", "-5", "1.5"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="give minutes, HH:MM:SS or D-HH:MM:SS"):
        minutes_of(text)


def test_the_values_of_an_array() -> None:
    arrays = [["OPTIM.BASE_LR", "0.1,0.2"], ["RUN.SEED", "1"]]
    assert parse_arrays(arrays) == {"OPTIM.BASE_LR": ["0.1", "0.2"], "RUN.SEED": ["1"]}
    with pytest.raises(ConfigError, match="a value is given twice"):
        parse_arrays([["OPTIM.BASE_LR", "0.1,0.1"]])
    with pytest.raises(ConfigError, match="--array RUN.SEED is given twice; give all its values at once"):
        parse_arrays([["RUN.SEED", "1"], ["RUN.SEED", "2"]])


def test_parameters_of_sbatch_have_a_value_or_are_true() -> None:
    assert parse_parameters(["qos=a=b", "exclusive", "comment="]) == {"qos": "a=b", "exclusive": True, "comment": ""}
