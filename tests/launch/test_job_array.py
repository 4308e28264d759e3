"""Which configs an array of jobs has, and which combinations are refused."""

import pytest

from sce_video.errors import ConfigError
from sce_video.launch.job_array import array_configs

FILE = "configs/demo_sce.yaml"


def test_a_folder_for_each_combination() -> None:
    configs = array_configs(FILE, ["RUN.OUTPUT_DIR", "a"], {"METHOD.COEFF": ["0.5", "1.0"], "RUN.SEED": ["1", "2"]})
    assert [(cfg.METHOD.COEFF, cfg.RUN.SEED, cfg.RUN.OUTPUT_DIR) for cfg in configs] == [
        (0.5, 1, "a/coeff_0.5/seed_1"),
        (0.5, 2, "a/coeff_0.5/seed_2"),
        (1.0, 1, "a/coeff_1.0/seed_1"),
        (1.0, 2, "a/coeff_1.0/seed_2"),
    ]
    assert [cfg.RUN.OUTPUT_DIR for cfg in array_configs(FILE, ["RUN.OUTPUT_DIR", "a"], {})] == ["a"]


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("MODEL.WEIGHTS", ["a/b", "a_b"], "MODEL.WEIGHTS 'a/b' and MODEL.WEIGHTS 'a_b' have one folder"),
        ("RUN.SEED", ["1", "2", "01"], "RUN.SEED '1' and RUN.SEED '01' are the same run"),
        ("METHOD.COEFF", ["0.5", "5e-1"], "METHOD.COEFF '0.5' and METHOD.COEFF '5e-1' are the same run"),
    ],
)
def test_two_values_that_are_one_run_or_have_one_folder(key: str, values: list[str], words: str) -> None:
    """The other key, whose values differ, is not named."""
    with pytest.raises(ConfigError) as caught:
        array_configs(FILE, [], {key: values, "OPTIM.BASE_LR": ["0.1", "0.2"]})
    assert str(caught.value).startswith(f"--array: {words}; ")
