"""What every test shares: one thread per process, and the way to real data."""

import os
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)  # tests run in parallel processes; more threads only fight over the cores


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real videos beside the checkout: skip without it, fail if it was promised (CI)."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("SCE_REQUIRE_SHARED") == "1":
            pytest.fail(f"SCE_REQUIRE_SHARED=1, but {folder} does not exist")
        pytest.skip(f"{folder} does not exist")
    return folder
