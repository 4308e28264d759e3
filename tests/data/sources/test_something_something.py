import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.sources import read_ssv2
from sce_video.errors import ManifestError

Write = Callable[..., Path]
LABELS = {"Holding something next to something": "1", "Closing something": "0"}
ENTRIES = [
    {
        "id": "78687",
        "label": "holding potato next to vicks vaporub bottle",
        "template": "Holding [something] next to [something]",
        "placeholders": ["potato", "vicks vaporub bottle"],
    },
    {"id": 42326, "label": "Closing something"},
    {"id": "gone", "template": "Closing [something]"},
]


@pytest.mark.parametrize("prefix", ["", "something-something-v2-"])
def test_videos_are_labelled_by_their_template(write: Write, tmp_path: Path, prefix: str) -> None:
    write(f"labels/{prefix}labels.json", json.dumps(LABELS))
    write(f"labels/{prefix}train.json", json.dumps(ENTRIES))
    write(f"labels/{prefix}validation.json", json.dumps(ENTRIES[1:]))
    for name in ("78687.webm", "78687.mp4", "part/42326.webm"):
        write(f"videos/{name}")
    train = read_ssv2(tmp_path / "videos", tmp_path / "labels", "train")
    assert list(zip(train.paths, train.require_labels(), strict=True)) == [("78687.mp4", 1), ("part/42326.webm", 0)]
    assert list(read_ssv2(tmp_path / "videos", tmp_path / "labels", "validation").paths) == ["part/42326.webm"]


@pytest.mark.parametrize(
    ("labels", "entries", "message"),
    [
        (
            LABELS,
            [{"id": "1", "template": "Opening [something]"}],
            "entry 1: 'Opening something' has no number in .*labels",
        ),
        ({"Closing something": "first"}, ENTRIES[1:], "entry 1: 'Closing something' has no number"),
        (LABELS, [{"template": "Closing [something]"}], "entry 1: .*an id and a template"),
        (LABELS, [*ENTRIES, {"id": "1"}], "entry 4: .*an id and a template"),
        (LABELS, ["1"], "entry 1: .*an id and a template"),
        (LABELS, {"1": "Closing something"}, "train.json holds a dict; a list was expected"),
        (list(LABELS), ENTRIES, "labels.json holds a list; a dict was expected"),
        (LABELS, ENTRIES, "none of its 3 videos is below"),
    ],
)
def test_malformed_files_are_refused(
    write: Write, tmp_path: Path, labels: object, entries: object, message: str
) -> None:
    write("labels.json", json.dumps(labels))
    write("train.json", json.dumps(entries))
    with pytest.raises(ManifestError, match=message):
        read_ssv2(tmp_path, tmp_path, "train")


def test_missing_files_are_refused(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="holds no labels.json .*something-something-v2-labels.json; .*SPLITS_DIR"):
        read_ssv2(tmp_path, tmp_path, "train")
    write("labels.json", "{not json")
    with pytest.raises(ManifestError, match="labels.json is not JSON"):
        read_ssv2(tmp_path, tmp_path, "train")
