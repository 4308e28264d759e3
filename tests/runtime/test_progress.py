"""Progress bars: what they count, and that only one process shows them."""

import pytest

from sce_video.runtime.progress import progress_bar


def test_it_counts_on_from_where_the_run_was(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(total=4, initial=1, description="pretrain", unit="step") as bar:
        for _ in range(3):
            bar.update()
    shown = capsys.readouterr()
    assert "pretrain" in shown.err
    assert "4/4" in shown.err
    assert shown.out == ""


@pytest.mark.usefixtures("second_process")
def test_other_processes_show_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(total=4, description="pretrain", unit="step") as bar:
        bar.update(4)
        bar.set_postfix_str("loss 1.0")
    assert capsys.readouterr() == ("", "")


def test_nothing_to_do_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(total=4, initial=4, description="test features", unit="video"):
        pass
    with progress_bar(total=0, description="test features", unit="video"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("total", "seconds", "postfix"),
    [
        (94_000, 6_400, "loss 4.345, 1234.5 clips/s, wait 10%"),
        (2_000_000, 864_000, "loss 12.345, 12345.6 clips/s, wait 100%"),
        (40, 3, "loss 4.345, 12.3 clips/s, wait 0%"),
    ],
)
def test_80_columns_show_the_numbers_whole(total: int, seconds: float, postfix: str) -> None:
    with progress_bar(total=total, description="pretrain", unit="step", has_own_speed=True) as bar:
        bar.n = total // 3
        bar.set_postfix_str(postfix, refresh=False)
        line = bar.format_meter(**{**bar.format_dict, "ncols": 80, "elapsed": seconds})
    assert len(line) <= 80
    assert line.startswith(f"pretrain {total // 3}/{total}, {postfix} |")
    if total < 1_000_000:
        assert "<" in line  # with the remaining time
