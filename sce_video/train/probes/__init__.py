"""Probes: what is measured of a training run while it runs, without a change to its numbers."""
