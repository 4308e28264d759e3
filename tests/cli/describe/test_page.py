"""The printed page, the table and the JSON of descriptions."""

from dataclasses import replace

from sce_video.cli.describe.description import DescribedView, Description, TrainingCost
from sce_video.cli.describe.page import as_json, page_text, table_text

VIEW = DescribedView(8, 2.56, 224, gmacs=41.74, num_views=1)
COST = TrainingCost("not known: no file", None, None, 32, peak_lr=4.8, sent_bytes={"gradients": 1000}, peak_gib=23.46)
PRETRAINING = Description("pretrain", "slow_r50", "rgb", "sce", {"backbone": 31_634_496}, [VIEW] * 2, 2, COST)
EVALUATION = Description(
    "knn",
    "slow_r50",
    "rgb_and_difference",
    "",
    {"backbone": 31_634_496},
    [DescribedView(8, 2.56, 256, 54.52, 30)],
    1,
    None,
)


def test_the_page() -> None:
    assert page_text(PRETRAINING, 80.0).splitlines() == [
        "task                            pretrain sce",
        "backbone                        slow_r50",
        "network sees                    RGB frames",
        "parameters, backbone            31,634,496",
        "view 1                          8 frames over 2.56 s, 224 pixels, 41.7 GMACs",
        "view 2                          8 frames over 2.56 s, 224 pixels, 41.7 GMACs",
        "training list                   not known: no file",
        "steps per epoch                 not known",
        "peak learning rate              4.8",
        "a rank sends, gradients         1,000 bytes",
        "peak memory, 32 videos at once  23.5 GiB",
        "fits 80 GiB                     yes",
    ]


def test_steps_of_images() -> None:
    joint = replace(PRETRAINING, training=replace(COST, steps_per_epoch=40, image_steps_per_epoch=10))
    assert "steps per epoch                 40, 10 of them of images, in one frame" in page_text(joint, None)


def test_an_evaluation_has_no_step() -> None:
    assert page_text(EVALUATION, 80.0).splitlines()[-1] == (
        "view 1                30 x 8 frames over 2.56 s, 256 pixels, 54.5 GMACs"
    )


def test_one_line_per_config() -> None:
    lines = table_text({"one": PRETRAINING, "two": EVALUATION}, 24.0).splitlines()
    assert lines[0].split("  ")[-1] == "fits 24"
    assert [" ".join(line.split()) for line in lines[2:]] == [
        "one pretrain slow_r50 31.63 8x224 and 1 more 41.7 4.8 32 23.5 perhaps",
        "two knn slow_r50 31.63 8x256 54.5 - - - -",
    ]


def test_json_has_all_and_whether_it_fits() -> None:
    page = as_json(PRETRAINING, 24.0)
    assert page["training"]["steps_per_epoch"] is None
    assert page["views"][0]["gmacs"] == 41.74
    assert (page["gpu_gib"], page["fits"]) == (24.0, "perhaps")
    assert as_json(EVALUATION, 24.0)["fits"] is None
    assert "fits" not in as_json(PRETRAINING, None)
