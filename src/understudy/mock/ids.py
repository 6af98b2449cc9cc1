"""Ids that look like the vendors' and depend only on the prompt and the number of the attempt."""

from __future__ import annotations

import base64
import hashlib

import msgspec

__all__ = ["Blank", "BlankIds", "Ids", "sign", "signature_fits"]

_ALPHABET = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LETTERS = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_SIGNED_BY = b"understudy-mock."


class Ids:
    """The ids of one answer."""

    __slots__ = ("_seed",)

    def __init__(self, digest: bytes, number: int) -> None:
        self._seed = digest + number.to_bytes(8, "big")

    def text(self, purpose: str, length: int) -> str:
        """An id of `length` letters and digits, 32 at most."""
        drawn = hashlib.sha256(self._seed + purpose.encode()).digest()
        return drawn[:length].translate(_LETTERS).decode()

    def hexadecimal(self, purpose: str, length: int = 32) -> str:
        """An id of `length` hexadecimal digits, 64 at most."""
        return hashlib.sha256(self._seed + purpose.encode()).hexdigest()[:length]


class Blank(msgspec.Struct, frozen=True):
    """An id that is still to be drawn."""

    purpose: str
    length: int
    is_hexadecimal: bool = False

    def filled(self, ids: Ids) -> bytes:
        """The id, drawn."""
        draw = ids.hexadecimal if self.is_hexadecimal else ids.text
        return draw(self.purpose, self.length).encode()


class BlankIds(Ids):
    """Leaves blanks where ids go, and remembers them, to be filled in later."""

    __slots__ = ("blanks",)

    def __init__(self) -> None:
        super().__init__(b"", 0)
        #: The blank, and which id it stands for.
        self.blanks: dict[bytes, Blank] = {}

    def text(self, purpose: str, length: int) -> str:
        """A blank of that length."""
        return self._left(Blank(purpose, length))

    def hexadecimal(self, purpose: str, length: int = 32) -> str:
        """A blank of that length."""
        return self._left(Blank(purpose, length, is_hexadecimal=True))

    def _left(self, blank: Blank) -> str:
        name = blank.purpose.replace(" ", "-")
        shown = f"~{sum(blank.purpose.encode()):05d}{name}~".ljust(blank.length, "~")
        self.blanks[shown[: blank.length].encode()] = blank
        return shown[: blank.length]


def sign(thinking: str) -> str:
    """A signature for a thinking block, of the stand-in's own making."""
    body = hashlib.sha256(thinking.encode()).digest()
    check = hashlib.sha256(_SIGNED_BY + body).digest()
    return base64.b64encode(_SIGNED_BY + body + check).decode()


def signature_fits(signature: str, thinking: str) -> bool:
    """Whether `sign` made this signature, for this text or (where none is shown) for any."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        return False
    body, check = raw[len(_SIGNED_BY) : -32], raw[-32:]
    if not raw.startswith(_SIGNED_BY) or hashlib.sha256(_SIGNED_BY + body).digest() != check:
        return False
    return not thinking or body == hashlib.sha256(thinking.encode()).digest()
