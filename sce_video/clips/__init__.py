"""From a span of seconds in a video file to uint8 frames."""
