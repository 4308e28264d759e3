"""A `frames.json` of any content gives a video of the four images beside it, or one error that names the file."""

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from sce_video.clips.decoders import DecodeError, open_video

GOOD = {"fps": 25.0, "num_frames": 4, "height": 16, "width": 24}
NUMBERS = (0, -1, 1, 0.5, 4.0, 16, 1e300, -1e300, 5e-324, 2**63, 10**400, math.inf, -math.inf, math.nan)
OTHERS = (None, True, False, "", "25", "1e9", "nan", [], [25], {}, {"fps": 25})
MOST_PIXELS = 2**21  # larger frames are not read, as they take the memory of one frame


def random_text(dice: random.Random) -> bytes:
    about: Any = dict(GOOD)
    for _ in range(dice.randrange(3)):
        about[dice.choice([*GOOD, "more"])] = dice.choice(
            [*NUMBERS, *OTHERS, dice.uniform(0, 1000), dice.randrange(10**6)]
        )
    if dice.random() < 0.2:
        del about[dice.choice([*about])]
    if dice.random() < 0.1:
        about = dice.choice([[about], *NUMBERS, *OTHERS])
    text = bytearray(json.dumps(about).encode())
    for _ in range(dice.choice([0, 0, 0, 1, 5])):
        text[dice.randrange(len(text))] = dice.choice(b'{}[]",:0e-\\\x00\xff')
    if dice.random() < 0.1:
        depth = dice.choice([10, 1000, 20_000])
        text[:0] = dice.choice([b"[", b'{"fps":', b" ", b"9"]) * depth
    return bytes(text)


def test_frames_json(tmp_path: Path, seeds: Iterator[int]) -> None:
    for number in range(4):
        Image.new("RGB", (24, 16), (number, 0, 0)).save(tmp_path / f"{number}.png")
    file, num_read = tmp_path / "frames.json", 0
    for seed in seeds:
        text = random_text(random.Random(seed))
        file.write_bytes(text)
        try:
            with open_video(tmp_path, decoder="pyav") as opened:
                about = opened.metadata
                assert about.num_frames == 4
                assert 0 < about.duration_seconds < math.inf
                assert math.isclose(about.duration_seconds * about.fps, 4)
                if about.height * about.width <= MOST_PIXELS:
                    times = [(number + 0.5) / about.fps for number in range(4)]
                    assert opened.frames_at(times)[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
                    num_read += 1
        except DecodeError as error:
            if not str(error).startswith(f"{file}: ") or "\n" in str(error):
                raise AssertionError(f"{text[:200]!r}: {error}") from error
    assert num_read > 0
