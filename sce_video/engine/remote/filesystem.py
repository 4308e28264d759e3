"""fsspec file systems with timeouts, made in the process that uses them."""

from typing import Any

from sce_video.errors import UserError
from sce_video.urls import masked

# To connect, and between two pieces of a response.
_CONNECT_SECONDS, _SILENCE_SECONDS = 15.0, 30.0

# Never freed: closing one that was inherited by fork would wait for a thread that this process does not have.
_KEPT: dict[int, Any] = {}


class MissingPackageError(UserError):
    """An optional package is missing; the message names it."""


def file_system(url: str) -> tuple[Any, str]:
    """An fsspec file system for a URL, and the file's path in it.

    fsspec caches instances per process and thread; its own retries, which may never end, are turned off.

    Raises:
        MissingPackageError: fsspec, or a package that it needs for the URL, is not installed.
        ValueError: unknown protocol.
    """
    protocol, mark, rest = url.partition("://")
    protocol = protocol.lower()
    try:
        import fsspec.core

        options = _OPTIONS.get(protocol, dict)()
        system, path = fsspec.core.url_to_fs(protocol + mark + rest, use_listings_cache=False, **options)
    except ImportError as error:
        raise MissingPackageError(
            f"{masked(url)}: {' '.join(str(error).split())}; pip install 'sce_video[remote]' (it brings http and s3)"
        ) from error
    if protocol in ("s3", "s3a"):
        system.retries = 1
    _KEPT[id(system)] = system
    return system, str(path)


def _http_options() -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
    set_by_user = _configured("http") | _configured("https")
    headers = {"Accept-Encoding": "identity", **set_by_user.get("headers", {})}  # so that Content-Length is the file's
    # trust_env: use the environment's proxy, as curl, pip and boto do.
    client = {"timeout": timeout, "trust_env": True, **set_by_user.get("client_kwargs", {})}
    return {"client_kwargs": client, "headers": headers}


def _s3_options() -> dict[str, Any]:
    settings = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _SILENCE_SECONDS,
        "retries": {"total_max_attempts": 1},
        **_configured("s3").get("config_kwargs", {}),
    }
    return {"config_kwargs": settings}


def _configured(protocol: str) -> dict[str, Any]:
    """The user's settings from fsspec's own files or variables (FSSPEC_S3_ENDPOINT_URL and the like)."""
    import fsspec.config

    return dict(fsspec.config.conf.get(protocol, {}))


_OPTIONS = {"http": _http_options, "https": _http_options, "s3": _s3_options, "s3a": _s3_options}
