"""Process plumbing: seeds, ranks, log files, progress, checkpoint files."""
