import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sce_video.data.sources import read_diving48
from sce_video.errors import ManifestError

Write = Callable[..., Path]
# As in the official files.
VOCABULARY = [["Back", "15som", "05Twis", "FREE"], ["Back", "15som", "15Twis", "FREE"]]
DIVES = [
    {"vid_name": "-mmq0PT-u8k_00156", "label": 1, "start_frame": 0, "end_frame": 70},
    {"vid_name": "gone_00001", "label": 0, "start_frame": 0, "end_frame": 48},
    {"vid_name": "-mmq0PT-u8k_00155", "label": 0, "start_frame": 0, "end_frame": 48},
]


def test_dives_of_both_lists(write: Write, tmp_path: Path) -> None:
    write("Diving48_vocab.json", json.dumps(VOCABULARY))
    write("Diving48_V2_train.json", json.dumps(DIVES))
    write("Diving48_V2_test.json", json.dumps(DIVES[2:]))
    for name in ("155", "156"):
        write(f"rgb/-mmq0PT-u8k_00{name}.mp4")
    train = read_diving48(tmp_path / "rgb", tmp_path, "train")
    assert list(train.paths) == ["-mmq0PT-u8k_00156.mp4", "-mmq0PT-u8k_00155.mp4"]
    assert list(train.require_labels()) == [1, 0]
    assert train.class_names == {0: "Back 15som 05Twis FREE", 1: "Back 15som 15Twis FREE"}
    assert list(read_diving48(tmp_path, tmp_path, "test").paths) == ["rgb/-mmq0PT-u8k_00155.mp4"]


@pytest.mark.parametrize(
    ("vocabulary", "dives", "message"),
    [
        (VOCABULARY, [{**DIVES[0], "label": 2}], "entry 1: label is 2; 0 to 1 was expected"),
        (VOCABULARY, [DIVES[0], {**DIVES[0], "label": "1"}], "entry 2: label is '1'; 0 to 1 was expected"),
        (VOCABULARY, [{**DIVES[0], "label": True}], "entry 1: label is True"),
        (VOCABULARY, [{"label": 1}], "entry 1: .*; a vid_name and a label were expected"),
        (VOCABULARY, ["-mmq0PT-u8k_00156"], "entry 1: .*; a vid_name and a label were expected"),
        (VOCABULARY, {"vid_name": 1}, "train.json holds a dict; a list was expected"),
        (["Back"], DIVES, "vocab.json: a list of dives, each a list of its parts, was expected"),
        (VOCABULARY, DIVES, "none of its 3 videos is below"),
    ],
)
def test_malformed_files_are_refused(
    write: Write, tmp_path: Path, vocabulary: object, dives: object, message: str
) -> None:
    write("Diving48_vocab.json", json.dumps(vocabulary))
    write("Diving48_V2_train.json", json.dumps(dives))
    with pytest.raises(ManifestError, match=message):
        read_diving48(tmp_path, tmp_path, "train")
