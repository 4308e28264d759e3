"""RUN: where and on what."""

from sce_video.config.settings import Section, choice, free, number, path

RUN = Section()
# Everything that a run writes goes here; a second start goes on from the newest checkpoint in it.
RUN.OUTPUT_DIR = free(path("runs/unnamed"))
RUN.SEED = number(42, least=-(2**63), most=2**63 - 1)
# auto (the GPU if there is one), cpu or cuda.
RUN.DEVICE = free(choice("auto", "auto", "cpu", "cuda"))
