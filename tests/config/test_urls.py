import pytest

from sce_video.config.urls import holds_secret, is_url, masked


def test_what_is_a_url() -> None:
    assert all(map(is_url, ("s3://bucket/key", "https://host", "memory://x", "abfs+x://y")))
    assert not any(map(is_url, ("", "/data/videos", "videos", "C://videos", "a b://c", "://x")))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/a.mp4", "s3://bucket/a.mp4"),
        ("https://me:pw@host/a", "https://***@host/a"),
        ("https://host/a?X-Amz-Signature=1&b=2", "https://host/a?***"),
        (
            "503, url='https://me:pw@host/a?sig=1' and http://x/y?z",
            "503, url='https://***@host/a?***' and http://x/y?***",
        ),
        ("no URL at all, what?", "no URL at all, what?"),
    ],
)
def test_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
    assert masked(shown) == shown


@pytest.mark.parametrize(
    "text",
    ["https://me:pw@host/a", "https://token@host", "sftp://me:pw@host", "https://host/a?x=1&X-Amz-Signature=abc"],
)
def test_secrets(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        *("s3://bucket/a", "sftp://me@host/a", "https://host/a?version=3", "/data/me:pw@host?token=1"),
        *("https://me:${PASSWORD}@host/a", "https://${TOKEN}@host", "https://host/a?token=${TOKEN}&v=1"),
    ],
)
def test_no_secrets(text: str) -> None:
    assert not holds_secret(text)
