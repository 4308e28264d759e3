from pathlib import Path

import pytest
from PIL import Image

from sce_video.clips.decoders import VideoOpener
from sce_video.data.joined import JoinedLists, JoinedVideos
from sce_video.data.videos import ListedVideos, videos_from_paths


@pytest.fixture
def lists(tmp_path: Path) -> list[ListedVideos]:
    """Two and three gray pictures, with the same relative paths; the gray is the number over both."""
    made = []
    for folder, grays in (("one", (0, 1)), ("two", (2, 3, 4))):
        (tmp_path / folder).mkdir()
        for index, gray in enumerate(grays):
            Image.new("RGB", (40, 40), (gray, gray, gray)).save(tmp_path / folder / f"{index}.png")
        paths = [f"{index}.png" for index in range(len(grays))]
        made.append(videos_from_paths(tmp_path / folder, paths, None, folder))
    return made


def test_the_indices_of_a_list_follow_those_of_the_one_before(lists: list[ListedVideos], tmp_path: Path) -> None:
    joined = JoinedLists(lists)
    assert list(joined.parts) == [range(2), range(2, 5)]
    assert len(joined) == 5
    files = ["one/0", "one/1", "two/0", "two/1", "two/2"]
    assert [joined.name(video) for video in range(5)] == [f"{tmp_path}/{file}.png" for file in files]


def test_videos_are_opened_from_their_own_list(lists: list[ListedVideos]) -> None:
    videos = JoinedVideos([each.opened_by(VideoOpener("pyav")) for each in lists])
    assert len(videos) == 5
    for video in range(5):
        with videos.open(video) as opened:
            assert opened.frames_at([0.0]).unique().tolist() == [video]


def test_one_list_is_its_only_part(lists: list[ListedVideos]) -> None:
    assert list(lists[1].parts) == list(JoinedLists(lists[1:]).parts) == [range(3)]
