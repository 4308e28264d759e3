"""Lists of any lines give the videos that were written, or one line that names the list; never other ones."""

import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from sce_video.data.sources import read_list
from sce_video.data.videos import ListedVideos
from sce_video.errors import ManifestError

PARTS = ("a", "b c", "d, e", "f;g", "7", "v_x_g01", "é", "img.jpg", "300 3", "#h", "x.mp4 y", "take 2.5", "-1", "walk")
ENDINGS = (".mp4", ".AVI", ".webm", "", "", ".jpg", ".mp4.mp4")
COLUMNS = (
    *("", "", "", "path", "path,label", "path,num_frames", "path,num_frames,label", "path,label,num_frames"),
    *("path,group", "path,label,group"),
)
HEADERS = (
    "path label",
    "path,label",
    "path\tlabel",
    "video;frames;label",
    "label,path",
    "path,x",
    "path,group",
    "path\tlabel\tgroup",
    "vid,cls",
    "# note",
)
SPICE = (
    *'0123456789,; \t"#\\/.-\r\n\0\x1b\x85\u2028é³\ufeff\udce9',
    *("..", "9" * 5000, "1e9", '""', "://"),
)
Video = tuple[str, int | None]


def written(dice: random.Random) -> tuple[list[Video], str]:
    """Some videos, and a list of them as people write it; it may be ambiguous."""
    has_labels, mark, quotes = dice.random() < 0.7, dice.choice([" ", ",", "\t", ";", ", ", "  "]), dice.random() < 0.4
    videos: list[Video] = []
    for _ in range(dice.randrange(1, 6)):
        path = "/".join(dice.choices(PARTS, k=dice.randrange(1, 3))) + dice.choice(ENDINGS)
        videos.append((path, dice.randrange(-1, 400) if has_labels else None))
    lines = [
        (f'"{path}"' if quotes or path.startswith("#") else path) + ("" if label is None else f"{mark}{label}")
        for path, label in videos
    ]
    return videos, dice.choice(["\n", "\r\n", "\n\n"]).join(lines)


def damaged(text: str, dice: random.Random) -> str:
    for _ in range(dice.randrange(4)):
        index = dice.randrange(len(text) + 1)
        text = text[:index] + dice.choice(SPICE) + text[index + dice.randrange(2) :]
    return dice.choice(["", "", *(f"{header}\n" for header in HEADERS)]) + text


def read(file: Path, columns: str) -> ListedVideos | None:
    try:
        return read_list(file, file.parent, columns=columns)
    except ManifestError as error:
        message = str(error)
    assert message.startswith(str(file))
    assert len(message.splitlines()) == 1
    assert len(message) < 1000
    return None


def check_written(file: Path, videos: list[Video], text: str) -> None:
    """If every path is quoted, or has a video's suffix and a label, there is only one way to read the list."""
    file.write_text(text, encoding="utf-8", newline="")
    manifest = read(file, "")
    is_quoted = text.count('"') == 2 * len(videos)
    assert manifest is not None or not is_quoted, text
    if manifest is not None and (is_quoted or all(path[-4:] in (".mp4", ".AVI", "webm") for path, _ in videos)):
        labels = [None] * len(videos) if manifest.labels is None else list(manifest.labels)
        assert list(zip(manifest.paths, labels, strict=True)) == videos, text


def check_any(file: Path, content: bytes, columns: str) -> bool:
    """Whether it could be read."""
    file.write_bytes(content)
    manifest = read(file, columns)
    if manifest is None:
        return False
    assert all(manifest.paths)
    assert all(-1 <= label < 10**6 for label in manifest.labels or ())
    assert not any(unicodedata.category(each) == "Cc" for path in manifest.paths for each in path)
    assert manifest.lines is not None
    assert list(manifest.lines) == sorted(set(manifest.lines))
    return True


def test_lists(tmp_path: Path, seeds: Iterator[int]) -> None:
    num_read = 0
    for seed in seeds:
        dice = random.Random(seed)
        videos, text = written(dice)
        if seed % 2:
            check_written(tmp_path / "list.txt", videos, text)
            continue
        content = damaged(text, dice).encode(dice.choice(["utf-8", "utf-8", "utf-8", "utf-16"]), "surrogatepass")
        content = content if dice.random() < 0.9 else dice.randbytes(dice.randrange(200))
        num_read += check_any(tmp_path / "list.txt", content, dice.choice(COLUMNS))
    assert num_read > 0
