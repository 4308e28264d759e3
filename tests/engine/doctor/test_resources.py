"""Needs of a config's loader against the machine; all numbers by hand."""

import pytest

from sce_video.engine.doctor.finding import Finding
from sce_video.engine.doctor.resources import (
    LoaderNeeds,
    batches_in_memory,
    batches_in_shared_memory,
    busy_cores,
    open_files,
    threads,
    usable_cores,
)
from sce_video.engine.machine import Cores, Memory, Space

MIB, GIB = 2**20, 2**30
EIGHT = Cores(machine=64, affinity=8, quota=None, slurm_task=None)


def needs(**changes: int) -> LoaderNeeds:
    return LoaderNeeds(
        **({"num_workers": 2, "prefetch_batches": 2, "batches_in_hand": 1, "batch_bytes": MIB} | changes)
    )


def only(findings: list[Finding]) -> Finding:
    (finding,) = findings
    assert (finding.fix == "") == (finding.level == "ok")
    return finding


def test_without_workers_nothing_is_shared() -> None:
    found = needs(num_workers=0)
    assert found.total_bytes == 0
    assert only(batches_in_shared_memory(found, Space(0, 0), is_used=True)).level == "ok"


def test_dockers_64_mib_are_too_few() -> None:
    found = only(batches_in_shared_memory(needs(batch_bytes=588 * MIB), Space(64 * MIB, 63 * MIB), is_used=True))
    assert found.level == "problem"
    for number in ("63 MiB free of 64 MiB", "2.9 GiB", "2 workers x 2", "588 MiB each"):
        assert number in found.fact
    assert "--shm-size=4g" in found.fix  # 1.25 x 2.87 GiB
    assert "TRAIN.ACCUMULATION_STEPS" in found.fix  # not even one worker fits


def test_as_many_workers_as_fit_are_advised() -> None:
    space = Space(16 * MIB, 10 * MIB)  # 10 batches: 1 in hand, 9 // 2 = 4 workers
    assert "DATA.NUM_WORKERS 4" in only(batches_in_shared_memory(needs(num_workers=8), space, is_used=True)).fix
    assert only(batches_in_shared_memory(needs(num_workers=4), space, is_used=True)).level == "ok"


def test_what_others_use_of_shared_memory_is_not_free() -> None:
    assert only(batches_in_shared_memory(needs(), Space(GIB, 5 * MIB), is_used=True)).level == "ok"
    assert only(batches_in_shared_memory(needs(), Space(GIB, 5 * MIB - 1), is_used=True)).level == "problem"


def test_a_system_without_shared_memory() -> None:
    assert only(batches_in_shared_memory(needs(), None, is_used=True)).level == "ok"


def test_a_small_shared_memory_does_not_matter_to_anonymous_files() -> None:
    found = only(batches_in_shared_memory(needs(), Space(64, 64), is_used=False))
    assert (found.level, found.fact.split(";")[0]) == ("ok", "64 B free of 64 B")


@pytest.mark.parametrize(("limit", "level"), [(None, "ok"), (10 * MIB, "ok"), (10 * MIB - 1, "problem")])
def test_batches_may_take_half_of_the_memory(limit: int | None, level: str) -> None:
    assert only(batches_in_memory(needs(), Memory(GIB, limit))).level == level  # 5 MiB of batches


def test_memory_names_both_limits() -> None:
    assert (
        "64 GiB in the machine, limit of the control group 8.0 GiB"
        in only(batches_in_memory(needs(), Memory(64 * GIB, 8 * GIB))).fact
    )
    assert batches_in_memory(needs(), None) == []


def test_every_limit_of_cores_is_named() -> None:
    found = only(usable_cores(Cores(64, 64, 1.5, 8), needs(num_workers=1)))
    assert found.fact.startswith("1 usable: 64 cores in the machine, 64 by affinity, 1.5 by the control group's quota")
    assert "8 by SLURM_CPUS_PER_TASK" in found.fact
    assert "SLURM_CPUS_PER_TASK not set" in only(usable_cores(EIGHT, needs())).fact


@pytest.mark.parametrize(("workers", "level"), [(8, "ok"), (9, "note")])
def test_more_workers_than_cores(workers: int, level: str) -> None:
    assert only(usable_cores(EIGHT, needs(num_workers=workers))).level == level


@pytest.mark.parametrize(("load", "level"), [(32.0, "ok"), (32.1, "note")])
def test_a_busy_machine_is_a_note(load: float, level: str) -> None:
    assert only(busy_cores(load, EIGHT)).level == level


def test_open_files() -> None:
    many = needs(num_workers=32)  # 128 + 32 workers x 4 + 32 x 2 batches ahead + 1 in hand = 321
    assert only(open_files(many, 321)).level == "ok"
    found = only(open_files(many, 256))
    assert found.level == "problem"
    assert "256 allowed" in found.fact
    assert "321 needed with 32 workers" in found.fact
    assert found.fix == "ulimit -n 1024"


@pytest.mark.parametrize(
    ("cores", "environ", "num_threads", "level", "fix"),
    [
        (EIGHT, {}, 8, "ok", ""),
        (EIGHT, {"OMP_NUM_THREADS": "64"}, 64, "problem", "export OMP_NUM_THREADS=8"),
        (Cores(64, 64, 1.5, None), {}, 64, "problem", "export OMP_NUM_THREADS=1"),
        (Cores(2, 2, None, None), {}, 2, "note", "export OMP_WAIT_POLICY=passive"),
        (Cores(2, 2, None, None), {"OMP_WAIT_POLICY": "PASSIVE"}, 2, "ok", ""),
        (Cores(2, 2, None, None), {"OMP_NUM_THREADS": "1"}, 1, "ok", ""),
    ],
)
def test_threads(cores: Cores, environ: dict[str, str], num_threads: int, level: str, fix: str) -> None:
    found = only(threads(cores, environ, num_threads))
    assert (found.level, found.fix) == (level, fix)
