"""Where a status page can be read by a program, from the address that people know it by."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

__all__ = ["feeds"]

#: What Statuspage has (https://metastatuspage.com/api), and most others imitate.
_USUAL = "/api/v2/summary.json"
#: Hosts that have something else, or something better, best first. OpenAI's usual feed lists a part
#: of its components only: see `understudy.providers.status_pages.compatible`.
_BY_HOST: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "status.openai.com": ("/proxy/status.openai.com", _USUAL),
        "status.cloud.google.com": ("/incidents.json",),
    }
)


def feeds(status_page: str) -> tuple[str, ...]:
    """URLs to read, best first, all on the same host; a URL with a path is read as it is."""
    parts = urlsplit(status_page)
    if parts.path not in {"", "/"}:
        return (status_page,)
    paths = _BY_HOST.get(parts.hostname or "", (_USUAL,))
    return tuple(f"{parts.scheme}://{parts.netloc}{path}" for path in paths)
