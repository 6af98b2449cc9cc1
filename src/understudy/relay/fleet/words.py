"""Several things that are said at once: a JSON array, in as few words as it fits in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from understudy.ports import MAX_WORD_BYTES

__all__ = ["pack", "unpack"]

_DECODER: Final = msgspec.json.Decoder(list[msgspec.Raw])


def pack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Words of these pieces of JSON, in their order; one too long for any word is left out."""
    held: list[bytes] = []
    size = 2
    for piece in pieces:
        if len(piece) + 2 > MAX_WORD_BYTES:
            continue
        if held and size + len(piece) + 1 > MAX_WORD_BYTES:
            yield b"[%b]" % b",".join(held)
            held, size = [], 2
        held.append(piece)
        size += len(piece) + 1
    if held:
        yield b"[%b]" % b",".join(held)


def unpack(word: bytes) -> list[msgspec.Raw]:
    """The pieces of a word; none, where it is no such word."""
    try:
        return _DECODER.decode(word)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
