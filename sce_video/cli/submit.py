"""`submit.py`: parse its options, then submit the run or build the batch script."""

import re
from collections.abc import Sequence

from sce_video.errors import ConfigError, UserError
from sce_video.launch.slurm import Resources, batch_script, describe_jobs, submit


def submit_run(
    file: str, overrides: Sequence[str], *, resources: Resources, arrays: Sequence[Sequence[str]], how: str
) -> str:
    """Submit a run; returns the text to print: job ids and logs, or the batch script.

    Args:
        arrays: each KEY and "V1,V2,..." of the command line; a job for each combination.
        how: "slurm", "local" or "dry-run".
    Raises:
        UserError: see `submit`.
    """
    array = parse_arrays(arrays)
    if how == "dry-run":
        return batch_script(file, overrides, resources=resources, array=array)
    return describe_jobs(submit(file, overrides, resources=resources, array=array, cluster=how))


def parse_parameters(texts: Sequence[str]) -> dict[str, str | bool]:
    """Parse `NAME=VALUE` and `NAME` of sbatch; the latter is True."""
    return {name: value if sign else True for name, sign, value in (text.partition("=") for text in texts)}


def minutes_of(text: str) -> int:
    """Minutes, rounded up, of a time as Slurm writes it: minutes, MM:SS, H:MM:SS, D-HH or D-HH:MM:SS.

    Raises:
        UserError: another format.
    """
    found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if found is None:
        raise UserError(f"--time is {text!r}; give minutes, HH:MM:SS or D-HH:MM:SS")
    days, first, second, third = found.groups()
    if days is None and second is None:
        return int(first)
    if days is None and third is None:  # MM:SS
        return int(first) + (int(second) > 0)
    hours = 24 * int(days or 0) + int(first)
    return 60 * hours + int(second or 0) + (int(third or 0) > 0)


def parse_arrays(arrays: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
    """Keys and their values.

    Raises:
        ConfigError: a key or a value is given twice, or a value is empty.
    """
    array: dict[str, Sequence[str]] = {}
    for key, values in map(parse_array, arrays):
        if key in array:
            raise ConfigError(f"--array {key} is given twice; give all its values at once")
        array[key] = values
    return array


def parse_array(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Key and values of `KEY V1,V2,...`.

    Raises:
        ConfigError: a value is empty or given twice.
    """
    key, values = words[0], words[1].split(",")
    if "" in values:
        raise ConfigError(f"--array {key} {words[1]}: a value is empty")
    if len(set(values)) < len(values):
        raise ConfigError(f"--array {key} {words[1]}: a value is given twice; each has a folder of its own")
    return key, values
