import pytest
from hypothesis import given
from hypothesis import strategies as st

from sce_video.engine.remote.shards import Member, find_member, member_path
from sce_video.engine.remote.shards.pattern import expand_braces
from sce_video.errors import ManifestError


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("a{08..11}.tar", ["a08.tar", "a09.tar", "a10.tar", "a11.tar"]),
        ("a{8..11}.tar", ["a8.tar", "a9.tar", "a10.tar", "a11.tar"]),
        ("a{08..100}.tar", ["a008.tar", "a009.tar", *(f"a{n:03d}.tar" for n in range(10, 101))]),
        ("a{1..02}.tar", ["a01.tar", "a02.tar"]),
        ("{train,val}-{0..1}.tar", ["train-0.tar", "train-1.tar", "val-0.tar", "val-1.tar"]),
        ("${HOME}/a{0..0}.tar", ["${HOME}/a0.tar"]),
    ],
)
def test_as_the_shell_does(pattern: str, names: list[str]) -> None:
    assert expand_braces(pattern) == names


@pytest.mark.parametrize(
    "pattern",
    [
        "a{3..1}.tar",
        "a{x}.tar",
        "a{}.tar",
        "{000..999}{000..999}{0..9}",
        "{0..9999999}",
        "a{1,1}",
        "{a,{b,c}}",
        "a{0..1",
    ],
)
def test_refused(pattern: str) -> None:
    with pytest.raises(ManifestError):
        expand_braces(pattern)


@given(st.text(), st.integers(0, 2**60), st.integers(0, 2**60))
def test_a_member_comes_back_from_its_path(name: str, start: int, length: int) -> None:
    member = Member("a/b-000.tar", name, start, length)
    assert find_member(member_path(member)) == member
