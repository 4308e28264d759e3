from pathlib import Path

import pytest

from sce_video.engine.remote import RemoteError, RemotePath, location


def test_a_path_stays_a_path() -> None:
    assert location("videos/a") == Path("videos/a")
    assert location("file:///data/videos") == Path("/data/videos")
    assert location("s3://bucket//videos") == RemotePath("s3://bucket//videos")


@pytest.mark.parametrize(
    ("root", "path", "url"),
    [
        ("s3://bucket/k400", "a/b.mp4", "s3://bucket/k400/a/b.mp4"),
        ("s3://bucket/k400/", "a#b?.mp4", "s3://bucket/k400/a#b?.mp4"),
        ("https://host", "a b/c#d?e%20f.mp4", "https://host/a%20b/c%23d%3Fe%2520f.mp4"),
        ("https://host/v?token=1", "a.mp4", "https://host/v/a.mp4?token=1"),
        ("https://host/v", "./a//b.mp4", "https://host/v/a/b.mp4"),
        ("https://host/list.txt?x=1", "", "https://host/list.txt?x=1"),
    ],
)
def test_below_a_root(root: str, path: str, url: str) -> None:
    found = location(root)
    assert isinstance(found, RemotePath)
    assert (found / path if path else found).url == url


def test_a_name_ends_before_the_query() -> None:
    """Images are recognised by their suffix."""
    assert RemotePath("", "https://host/a.jpg?sig=/b").name == "a.jpg"
    assert RemotePath("https://host/a.jpg?sig=/b").name == "a.jpg"
    assert RemotePath("https://host/v?sig=1", "a/what?.jpg").name == "what?.jpg"


def test_secrets_come_from_the_environment_and_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "hunter2")
    path = location("https://me:${PASSWORD}@host/v?sig=${PASSWORD}") / "a.mp4"
    assert isinstance(path, RemotePath)
    assert path.url == "https://me:hunter2@host/v/a.mp4?sig=hunter2"
    assert "hunter2" not in str(path) + repr(path) + path.key
    assert str(path) == "https://***@host/v/a.mp4?***"
    monkeypatch.delenv("PASSWORD")
    with pytest.raises(RemoteError, match="environment variable PASSWORD is not set"):
        _ = path.url


@pytest.mark.parametrize("value", ["hunter 2", "hunter\n2", "hunter2\u202e"])
def test_a_secret_that_would_end_the_url_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A library would show it in an error, from which it could not be removed."""
    monkeypatch.setenv("PASSWORD", value)
    with pytest.raises(RemoteError, match="environment variable PASSWORD has a blank") as caught:
        _ = RemotePath("https://me:${PASSWORD}@host/v").url
    assert "hunter" not in str(caught.value)


def test_variables_in_a_list_are_not_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list must not be able to send the environment somewhere."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    line = "https://elsewhere/${AWS_SECRET_ACCESS_KEY}"
    assert RemotePath("", line).url == line
    below = location("https://host") / "${AWS_SECRET_ACCESS_KEY}"
    assert isinstance(below, RemotePath)
    assert "hunter2" not in below.url
