"""Size of a frame with a given short side."""


def size_at_short_side(height: int, width: int, *, short_side_pixels: int) -> tuple[int, int]:
    """(height, width) of the frame resized to that short side.

    The long side is floor(long * short_side_pixels / short), as in pytorchvideo and SlowFast, but exact: there 112 *
    (244 / 112) is 243.99..., and a frame that has the right size already loses a column.
    """
    short = min(height, width)
    return height * short_side_pixels // short, width * short_side_pixels // short
