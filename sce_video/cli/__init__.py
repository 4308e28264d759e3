"""Command-line layer of the programs in `tools/`."""
