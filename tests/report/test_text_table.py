import pytest

from sce_video.report.text_table import metrics_table, text_table


def test_columns_by_hand():
    table = text_table(["name", "top1", "n"], [["a", "7.5", "1000"], ["longer name", "100.25", "2"]])
    assert table.split("\n") == [
        "name           top1     n",
        "-----------  ------  ----",
        "a               7.5  1000",
        "longer name  100.25     2",
    ]


def test_a_table_without_rows_is_its_header():
    assert text_table(["metric", "%"], []) == "metric  %\n------  -"


def test_no_line_ends_in_spaces():
    table = text_table(["a", "b"], [["x", ""], ["", ""]])
    assert [line.rstrip() for line in table.split("\n")] == table.split("\n")


@pytest.mark.parametrize("row", [["x"], ["x", "y", "z"]])
def test_rows_of_another_length_are_refused(row):
    with pytest.raises((ValueError, IndexError)):
        text_table(["a", "b"], [row])


def test_metrics_are_shown_as_percentages():
    metrics = {"knn_top1": 0.12345, "retrieval_r50": 1.0, "linear_top1": 0.0}
    table = metrics_table(metrics, standard_errors={"knn_top1": 0.0134}, chance={"knn_top1": 0.01, "linear_top1": 0.5})
    assert table.split("\n") == [
        "metric              %     ±  chance",
        "-------------  ------  ----  ------",
        "knn_top1        12.35  1.34    1.00",
        "retrieval_r50  100.00     -       -",
        "linear_top1      0.00     -   50.00",
    ]
