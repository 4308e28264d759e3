from sce_video.build.evaluation import build_protocol
from sce_video.config.defaults import default_config


def test_evaluation_keeps_the_frames_of_training_unless_they_are_random() -> None:
    cfg = default_config()
    cfg.CLIP.FRAME_CHOICE, cfg.CLIP.FRAME_STRIDE = "strided", 2
    assert build_protocol(cfg).frame_stride == 2
    cfg.CLIP.FRAME_CHOICE = "jittered"
    assert build_protocol(cfg).frame_stride == 0  # spread evenly


def test_only_evenly_spaced_clips_have_a_number() -> None:
    cfg = default_config()
    cfg.EVAL.NUM_CLIPS = 7
    assert build_protocol(cfg).num_clips == 7
    cfg.EVAL.CLIPS = "full_coverage"
    assert build_protocol(cfg).num_clips == 0


def test_frames_are_resized_to_the_crops_unless_configured() -> None:
    cfg = default_config()
    cfg.EVAL.SIZE_PIXELS = 224
    assert (build_protocol(cfg).resize_pixels, build_protocol(cfg).antialiased_resize) == (0, False)
    cfg.EVAL.RESIZE_PIXELS, cfg.AUG.ANTIALIASED_RESIZE = 256, True
    assert (build_protocol(cfg).resize_pixels, build_protocol(cfg).size_pixels) == (256, 224)
    assert build_protocol(cfg).antialiased_resize
