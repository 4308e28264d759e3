"""Text of others, such as names of files and URLs, shown so that it steers no terminal, misleads no reader and gives
no secret away; and the numbers in it.

Outside the rooms: each of them says something.
"""

import re
import unicodedata

# More than any label has; int() takes its time over a million of them.
_MOST_DIGITS = 18

# Of the characters that format others these two are part of words, and move nothing.
_JOINERS = "\u200c\u200d"
_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats (directions of writing), lone surrogates, line ends

# Two letters at least: one is a Windows drive. What quotes or ends a URL in a sentence is no part of it.
_URL_IN_TEXT = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]+://\S*?(?=['"<>(),.;:\]}]*(?:\s|$))""")
_ONLY_A_HOST = re.compile(r"(?:\[[^\s@/]*\]|[^\s:@/?#\[\]]*)(?::(?:\d*|\$\{\w+\}))?(?=[/?#]|$)")


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


def masked(text: str) -> str:
    """The text with the URLs in it as `masked_url` shows them; it ends a URL at white space."""
    return _URL_IN_TEXT.sub(lambda found: masked_url(found[0]), text) if "://" in text else text


def masked_url(url: str) -> str:
    """A URL without user, password and query: signatures of S3 and tokens are in there."""
    scheme, mark, rest = url.partition("://")
    end = end_of_user(rest)
    if "?" in rest[:end]:  # of the password or of the query, who knows
        return f"{scheme}{mark}***"
    place, has_query, _ = rest[end:].partition("?")
    return f"{scheme}{mark}{'***@' if end else ''}{place}{'?***' if has_query else ''}"


def end_of_user(rest: str) -> int:
    """How much of a URL, behind its `://`, is the user part with its `@`; 0 where there is none.

    It goes to the last `@`, which a password may hold like any other character, unless what comes first is a host.
    """
    return 0 if _ONLY_A_HOST.match(rest) else rest.rfind("@") + 1


def whole_number(text: str) -> int | None:
    """The number that digits alone stand for; None for anything else, and for more digits than a label has."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
