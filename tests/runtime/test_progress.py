"""Progress bars: what they count, and that one process shows them."""

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
