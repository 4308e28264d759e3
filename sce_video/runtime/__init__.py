"""Process infrastructure: seeds, signals, logging, progress bars, files, checkpoints."""
