"""Recognising URLs, and secrets in them."""

import re

from sce_video.plain_text import masked, masked_url, userinfo_length

__all__ = ["holds_secret", "is_url", "masked", "masked_url"]

# At least two letters: one is a Windows drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ONLY_VARIABLES = re.compile(r"(\$\{\w+\})*")


def is_url(text: str) -> bool:
    return _SCHEME.match(text) is not None


def holds_secret(text: str) -> bool:
    """Whether a URL in the text has a password, token or query value that is not just `${NAME}`.

    Every query value counts: the names that signatures go by cannot be listed.
    """
    found = _SCHEME.search(text)
    if found is None:
        return False
    rest = text[found.end() :]
    names_users = not found[0].lower().startswith("http")  # in HTTP the user name may be a token
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user, has_user, host = authority.rpartition("@")
    if not has_user or userinfo_length(host) or not _is_safe_user(user, names_users=names_users):
        end = userinfo_length(rest)
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
