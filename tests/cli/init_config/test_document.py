"""Values and comments in the written YAML."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sce_video.cli.init_config.choice import Choice
from sce_video.cli.init_config.document import opening_text, settings_text, yaml_value
from sce_video.config.yaml_file import flattened, parse_yaml

PATHS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufeff"), min_size=1)


@given(PATHS | st.sampled_from(["~", "null", "yes", "- a", "a: b", "#1", "'", "*", " x "]))
def test_any_path_is_read_back(path: str) -> None:
    assert parse_yaml(f"ROOT: {yaml_value(path)}  # why\n", origin="") == {"ROOT": path}


def test_settings_by_section_with_reasons() -> None:
    values: dict[str, Any] = {"CLIP.NUM_FRAMES": 8, "AUG.CROP_AREA": [0.5, 1.0], "METHOD.IN_BATCH_KEYS": True}
    text = settings_text("pretrain", [Choice(key, value, "a reason " * 20) for key, value in values.items()])
    assert dict(flattened(parse_yaml(text, origin=""))) == {
        "TASK": "pretrain",
        "CLIP.NUM_FRAMES": "8",
        "AUG.CROP_AREA": ["0.5", "1.0"],
        "METHOD.IN_BATCH_KEYS": "true",
    }
    assert max(map(len, text.splitlines())) <= 120
    assert settings_text("knn", [Choice("CLIP.SECONDS", 1.1, "why")]).splitlines()[-1] == "  SECONDS: 1.1  # why"


def test_nothing_leaves_the_opening_comment() -> None:
    text = opening_text("of a\nb", {"Data": ["x\ny: 1", "z" * 300], "Result": ["none"]})
    assert parse_yaml(text, origin="") == {}
    assert all(line.startswith("#") for line in text.splitlines())
