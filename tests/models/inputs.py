"""Network input for tests that do not depend on it."""

from sce_video.models.base import NetworkInput

INPUT = NetworkInput(num_frames=8, seconds=0.5, size_pixels=32, mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225))
