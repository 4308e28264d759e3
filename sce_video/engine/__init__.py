"""Machinery that keeps a run going; not needed to understand the methods."""
