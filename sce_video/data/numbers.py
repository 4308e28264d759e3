"""Numbers in texts from outside."""

# More than any label has; int() takes its time over a million of them.
_MOST_DIGITS = 18


def whole_number(text: str) -> int | None:
    """The number that digits alone stand for; None for anything else, and for more digits than a label has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
