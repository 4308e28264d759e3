"""Upper bounds that several sections share; a larger value is a typing error."""

DAY_SECONDS = 86_400
MOST_PIXELS = 16_384
LEAST_SIDE_PIXELS = 32  # that backbones take
MOST_SIDE_PIXELS = 4_096  # of the network's input
MOST_EPOCHS = 1_000_000
MOST_STEPS = 1_000_000_000
MOST_WIDTH = 2**20
