"""Content-Security-Policy of a page: only its own script, style and embedded pictures."""

import base64
import hashlib

from sce_video.report.markup import Markup, element


def inline_element(tag: str, content: str) -> Markup:
    """`<script>` or `<style>` with unescaped content of this package, which `policy` allows by its hash."""
    return Markup(f"<{tag}>{content}</{tag}>")


def policy(*, style: str, script: str) -> Markup:
    """Content-Security-Policy that allows this style and script by their hashes, and nothing injected by a name."""
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    content = "; ".join(f"{name} {value}" for name, value in rules.items())
    tag = element("meta", http_equiv="Content-Security-Policy", content=content)
    return Markup(tag.removesuffix("</meta>"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
