"""Spans of a video, and their frames decoded to uint8."""
