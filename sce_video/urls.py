"""What is a URL, and what in it may be a secret."""

import re

from sce_video.plain_text import end_of_user, masked, masked_url

__all__ = ["holds_secret", "is_url", "masked", "masked_url"]

# Two letters at least: one is a Windows drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ONLY_VARIABLES = re.compile(r"(\$\{\w+\})*")


def is_url(text: str) -> bool:
    return _SCHEME.match(text) is not None


def holds_secret(text: str) -> bool:
    """Whether a text with a URL in it has a password or a value of a query written out.

    Every value of a query counts, since nobody can list the names that signatures go by; `${NAME}`, of the environment,
    is none, alone.
    """
    found = _SCHEME.search(text)
    if found is None:
        return False
    rest = text[found.end() :]
    names_users = not found[0].lower().startswith("http")  # elsewhere a token may be the user's name
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, has_user, host = place.rpartition("@")
    if not has_user or end_of_user(host) or not _is_safe_user(user, names_users=names_users):
        end = end_of_user(rest)
        if end and not _is_safe_user(rest[: end - 1], names_users=names_users):
            return True
        user, rest = "", rest[end:]
    fields = rest.partition("?")[2].split("&")
    values = [field.partition("=")[2] if "=" in field else field for field in fields]
    return not all(map(_ONLY_VARIABLES.fullmatch, values))


def _is_safe_user(user: str, *, names_users: bool) -> bool:
    name, _, password = user.partition(":")
    secret = password or ("" if names_users else name)
    return _ONLY_VARIABLES.fullmatch(secret) is not None
