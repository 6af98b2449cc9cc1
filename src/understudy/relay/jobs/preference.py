"""What a caller prefers: the header `Prefer`, as RFC 7240 has it.

A preference is a wish: what is not understood is passed over, and nothing in it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["WAIT_SECONDS_MAX", "Preference", "read_preference"]

#: Nothing is sent while a caller waits, and load balancers give up on silence after 60 s (the
#: default of AWS's and of nginx's): what takes longer is fetched.
WAIT_SECONDS_MAX: Final = 55.0


class Preference(msgspec.Struct, frozen=True):
    """A request is to be taken as a job; its caller waits so many seconds for the answer itself."""

    wait: float


def read_preference(header: str) -> Preference | None:
    """What `Prefer` says of being answered later; None if it does not ask for that.

    Of a preference that stands twice the first counts (RFC 7240 §2).
    """
    found: dict[str, str] = {}
    for preference in _parts(header, ","):
        # Parameters may follow, of which ours have none.
        told = next(_parts(preference, ";"))
        name, _, value = told.partition("=")
        found.setdefault(name.strip().lower(), _plain(value.strip()))
    if "respond-async" not in found:
        return None
    wait = found.get("wait", "")
    seconds = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 10 else 0.0
    return Preference(min(seconds, WAIT_SECONDS_MAX))


def _parts(text: str, sign: str) -> Iterator[str]:
    """What stands between the signs, but for those inside quotes."""
    start = 0
    quoted = escaped = False
    for place, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == sign and not quoted:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _plain(value: str) -> str:
    """A value without its quotes. No value of ours holds an escaped sign."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
