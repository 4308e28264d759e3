"""Numbered videos, written once a session, and the decoders that work on this machine."""

import os
from collections.abc import Callable

import av.codec.codec
import pytest

from sce_video.clips.decoders import decoder_version
from sce_video.errors import UserError
from tests.clips.decoders.numbered import NumberedVideo, numbers_in
from tests.clips.decoders.recipes import RECIPES


@pytest.fixture
def decoder(request: pytest.FixtureRequest) -> str:
    """Name of a decoder, to be parametrized with `indirect`: skips if it does not work, fails if it is required.

    SCE_REQUIRE_TORCHCODEC=1 and SCE_REQUIRE_DECORD=1 are the promises.
    """
    try:
        decoder_version(request.param)
    except UserError as error:
        promise = f"SCE_REQUIRE_{request.param.upper()}"
        if os.environ.get(promise) == "1":
            pytest.fail(f"{promise}=1, but {error}")
        pytest.skip(str(error))
    return request.param


@pytest.fixture(scope="session")
def numbered_video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], NumberedVideo]:
    """Name of a recipe -> the video, written once a session."""
    folder = tmp_path_factory.mktemp("numbered")
    videos: dict[str, NumberedVideo] = {}

    def get(name: str) -> NumberedVideo:
        if name not in videos:
            own = folder / name.replace(" ", "_")
            own.mkdir()
            try:
                videos[name] = RECIPES[name](own)
            except av.codec.codec.UnknownCodecError as error:
                pytest.skip(f"this PyAV cannot encode {error}")
        return videos[name]

    return get


@pytest.fixture(scope="session")
def read_numbers() -> Callable[..., list[int]]:
    """Frames (T, 3, H, W) -> the number that each shows."""
    return numbers_in
