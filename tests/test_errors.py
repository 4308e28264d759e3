"""Messages of our errors, and of those of libraries and the system."""

import pytest

from sce_video.errors import StoppedError, UserError, reason_of


def test_message_of_a_stop() -> None:
    assert str(StoppedError(12, step=40)) == "stopped by signal 12 after 40 steps"
    assert str(StoppedError(15)) == "stopped by signal 15"
    assert StoppedError(15).signal_number == 15
    assert not isinstance(StoppedError(15), UserError)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(2, "No such file or directory", "/a\nb"), "No such file or directory"),  # without the file name
        (ValueError("two\nlines  and   blanks"), "two lines and blanks"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 400), "x" * 300),
    ],
)
def test_a_reason_is_one_bounded_line(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
