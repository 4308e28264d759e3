"""Untrusted text, such as file names and URLs, made safe to print: controls escaped, secrets masked."""

import re
import unicodedata

# More than any label has; int() is slow for a million digits.
_MOST_DIGITS = 18

# Format characters that occur inside words and do not move text.
_JOINERS = "\u200c\u200d"
_ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format (such as text direction), lone surrogate, line separators

# At least two letters: one is a Windows drive. Quotes and punctuation behind a URL are not part of it.
_URL_IN_TEXT = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]+://\S*?(?=['"<>(),.;:\]}]*(?:\s|$))""")
_ONLY_A_HOST = re.compile(r"(?:\[[^\s@/]*\]|[^\s:@/?#\[\]]*)(?::(?:\d*|\$\{\w+\}))?(?=[/?#]|$)")


def escaped(text: str, *, kept: str = "") -> str:
    r"""The text with controls, changes of direction and undecodable bytes written as escapes: `\x1b`, `\u202e`.

    Args:
        kept: characters that are not escaped, such as the line ends of a table.
    """
    if text.isprintable():
        return text
    return "".join(_escape(each) if needs_escape(each) and each not in kept else each for each in text)


def needs_escape(character: str) -> bool:
    return unicodedata.category(character) in _ESCAPED and character not in _JOINERS


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte of a file name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def masked(text: str) -> str:
    """The text with `masked_url` applied to the URLs in it, which end at white space."""
    return _URL_IN_TEXT.sub(lambda found: masked_url(found[0]), text) if "://" in text else text


def masked_url(url: str) -> str:
    """A URL with user, password and query (S3 signatures, tokens) replaced by `***`."""
    scheme, mark, rest = url.partition("://")
    end = userinfo_length(rest)
    if "?" in rest[:end]:  # part of the password or start of the query: undecidable
        return f"{scheme}{mark}***"
    location, has_query, _ = rest[end:].partition("?")
    return f"{scheme}{mark}{'***@' if end else ''}{location}{'?***' if has_query else ''}"


def userinfo_length(rest: str) -> int:
    """Length of the `user:password@` at the start of what follows `://` in a URL; 0 if there is none.

    It extends to the last `@`, since a password may contain any character, unless the URL begins with a host.
    """
    return 0 if _ONLY_A_HOST.match(rest) else rest.rfind("@") + 1


def whole_number(text: str) -> int | None:
    """The value of a text of 1 to 18 ASCII digits; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None
