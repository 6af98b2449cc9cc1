"""Keys of random bytes, as people and files pass them on: base64 (RFC 4648 §4 or §5)."""

from __future__ import annotations

import base64
import binascii

__all__ = ["key_bytes"]


def key_bytes(text: str) -> bytes:
    """The bytes of a key in either alphabet, with or without the `=` at its end.

    Raises:
        ValueError: it is not base64; the error's text never repeats it.
    """
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
