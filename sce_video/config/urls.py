"""What is a URL, what in it may be a secret, and texts without the secrets."""

import re

# Two letters at least: one is a Windows drive.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_USER = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY = re.compile(r"(://[^\s?]*)\?[^\s'\"<>)]*")
_SECRET_NAMES = re.compile(r"sig|token|key|secret|passw|credential|auth", re.IGNORECASE)


def is_url(text: str) -> bool:
    return _SCHEME.match(text) is not None


def masked(text: str) -> str:
    """A text for people: the URLs in it without user, password and query (S3's signatures are in there)."""
    return _QUERY.sub(r"\1?***", _USER.sub("***@", text))


def holds_secret(text: str) -> bool:
    """Whether a URL has a password or a signature written out; `${NAME}`, of the environment, is none."""
    if not is_url(text):
        return False
    scheme, _, rest = text.partition("://")
    place, _, query = rest.partition("?")
    user, has_user, _ = place.partition("/")[0].rpartition("@")
    name, _, password = user.partition(":")
    secret = password or (name if scheme.lower() in ("http", "https") else "")
    fields = [field.partition("=") for field in query.split("&")]
    values = [value for key, _, value in fields if _SECRET_NAMES.search(key)]
    return any(value and "${" not in value for value in [secret if has_user else "", *values])
