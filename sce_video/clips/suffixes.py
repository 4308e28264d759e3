"""Suffixes of video and image files, matched in lower case."""

from sce_video.clips.decoders import IMAGE_SUFFIXES

__all__ = ["IMAGE_SUFFIXES", "VIDEO_SUFFIXES"]

VIDEO_SUFFIXES = (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv")
