import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.urls import holds_secret, is_url, masked, masked_url


def test_what_is_a_url() -> None:
    assert all(map(is_url, ("s3://bucket/key", "https://host", "memory://x", "abfs+x://y")))
    assert not any(map(is_url, ("", "/data/videos", "videos", "C://videos", "a b://c", "://x")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket/a.mp4", "s3://bucket/a.mp4"),
        ("https://me:pw@host/a", "https://***@host/a"),
        ("https://host/a?X-Amz-Signature=1&b=2", "https://host/a?***"),
        (
            "503, url='https://me:pw@host/a?sig=1' and http://x/y?z",
            "503, url='https://***@host/a?***' and http://x/y?***",
        ),
        ("no URL at all, what?", "no URL at all, what?"),
        ("https://me:p@ss@host/a", "https://***@host/a"),  # the userinfo extends to the last @
        ("https://me:p/@ss?w@host/a", "https://***"),
        ("https://me:pa/ss@host/a", "https://***@host/a"),
        ("https://host/@channel/a@2x.mp4", "https://host/@channel/a@2x.mp4"),
        ("https://[::1]:8080/a@b", "https://[::1]:8080/a@b"),
        ("https://host:8080/a@b?c=me@x)'", "https://host:8080/a@b?***)'"),
        ("https://me:pw@host/a?mail=x@y", "https://***"),
        ("(https://host/a?sig=a)b'c)", "(https://host/a?***)"),
        ("https://${USER}:${PW}@host/a", "https://***@host/a"),
        ("https://${HOST}:${PORT}/a@b", "https://${HOST}:${PORT}/a@b"),
    ],
)
def test_masked(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert masked(expected) == expected


def test_a_url_alone_may_hold_blanks() -> None:
    assert masked_url("https://me:p w@host/a b") == "https://***@host/a b"
    assert masked_url("https://host/a b?sig=x y") == "https://host/a b?***"


SECRET = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=1, max_size=8)


@given(password=SECRET, value=SECRET, scheme=st.sampled_from(["https", "sftp", "s3"]))
def test_no_secret_is_shown(password: str, value: str, scheme: str) -> None:
    """Secrets of any characters, each after a marker that must not be in the masked text."""
    url = f"{scheme}://me:<PW>{password}@host/a/b.mp4?x=<Q>{value}&y=<R>{value}"
    for text in (masked_url(url), masked(f"503, message='no', url='{url}'"), masked(f"{url} and {url}, or {url}")):
        assert not any(marker in text for marker in ("<PW", "<Q", "<R"))
    assert holds_secret(url)
    if "?" not in password and "@" not in value:
        assert masked_url(url) == f"{scheme}://***@host/a/b.mp4?***"


@pytest.mark.parametrize(
    "text",
    [
        *("https://me:pw@host/a", "https://token@host", "sftp://me:pw@host", "https://host/a?x=1&X-Amz-Signature=abc"),
        *(
            "https://host/a?version=3",
            "https://host/a?abc",
            "https://host/a?x=${A}b",
            "https://host/a?x=${A}&y=1;z=${B}",
        ),
        *("https://me:${PW}x@host", "https://x${TOKEN}@host", "https://me:p@ss@host", "https://me:p/w@host/a"),
        *("  https://me:pw@host/a", "runs/https://host/a?b=c", "https://${A}:${B}@h@host", "https://token:@host"),
    ],
)
def test_secrets(text: str) -> None:
    assert holds_secret(text)


@pytest.mark.parametrize(
    "text",
    [
        *("s3://bucket/a", "sftp://me@host/a", "https://host/a?", "https://host/a?x=&y=", "/data/me:pw@host?token=1"),
        *("https://host/@a/b@c", "https://${HOST}:${PORT}/a", "https://me:${PW}@host/a@b?x=${C}", "s3://b/a@2x"),
        *("https://me:${PASSWORD}@host/a", "https://${TOKEN}@host", "https://host/a?token=${TOKEN}&v=${V}${W}"),
    ],
)
def test_no_secrets(text: str) -> None:
    assert not holds_secret(text)
