from pathlib import Path

from sce_video.build.probes import build_probes
from sce_video.config import load_config

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo_sce.yaml"


def test_probes_are_on_unless_switched_off() -> None:
    assert len(build_probes(load_config(CONFIG))) >= 2
    assert len(build_probes(load_config(CONFIG, ["TRAIN.PROBE_EVERY_STEPS", "0"]))) == 0
