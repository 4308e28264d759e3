"""Text of others, such as the names of files, shown so that it neither steers a terminal nor misleads its reader."""

import unicodedata

# Of the characters that format others these two are part of words, and move nothing.
_JOINERS = "\u200c\u200d"
_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats (directions of writing), lone surrogates, line ends


def shown(text: str, *, kept: str = "") -> str:
    r"""The text with controls, escapes, changes of direction and bytes that are no text written out: `\x1b`, `\u202e`.

    Args:
        kept: characters that stay as they are, such as the line ends of a table.
    """
    if text.isprintable():
        return text
    return "".join(_written_out(each) if is_unshown(each) and each not in kept else each for each in text)


def is_unshown(character: str) -> bool:
    return unicodedata.category(character) in _UNSHOWN and character not in _JOINERS


def _written_out(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # what Python puts for a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
