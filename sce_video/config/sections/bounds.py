"""The largest numbers that several sections take: beyond them a value is a slip of the keyboard."""

DAY_SECONDS = 86_400
MOST_PIXELS = 16_384
MOST_SIDE_PIXELS = 4_096  # of what a network sees
MOST_EPOCHS = 1_000_000
MOST_STEPS = 1_000_000_000
MOST_WIDTH = 2**20
