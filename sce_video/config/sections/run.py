"""RUN: output folder, seed and device."""

from sce_video.config.settings import Section, choice, free, number, path

RUN = Section()
# Folder for everything that a run writes; rerunning resumes from its newest checkpoint.
RUN.OUTPUT_DIR = free(path("runs/unnamed"))
RUN.SEED = number(42, least=-(2**63), most=2**63 - 1)
# auto (the GPU if there is one), cpu or cuda.
RUN.DEVICE = free(choice("auto", "auto", "cpu", "cuda"))
