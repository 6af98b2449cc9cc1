"""What is kept of jobs, sealed: AES-256-GCM under a key of its own for every record.

    version (1 byte) · key id (8) · salt (32) · pieces of 256 KiB, each with its tag (16)

From the operator's key and a salt drawn for the record HKDF-SHA256 (RFC 5869) derives the record's
own key. No two records share one, so nonces can be numbers: the piece's number and whether it is
the last, which is the STREAM construction as age has it (https://age-encryption.org/v1, "Payload";
https://eprint.iacr.org/2015/189). Pieces can't be left out, swapped or cut off, and what is bound
to a record as associated data (whose it is, and which part) keeps one from being put in another's
place.

The id tells a key that is not here from damage. It is derived from the key, and says nothing of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from understudy.core.key_text import key_bytes
from understudy.core.settings import Secret

__all__ = ["PIECE_BYTES", "BrokenSealError", "NoKeyError", "Part", "SealError", "Seals", "bound"]

Part = Literal["request", "result"]

#: One piece takes a fraction of a millisecond, in which no other Python runs.
PIECE_BYTES: Final = 256 * 2**10
_VERSION: Final = b"\x01"
_ID_BYTES: Final = 8
_SALT_BYTES: Final = 32
_TAG_BYTES: Final = 16
_HEAD_BYTES: Final = len(_VERSION) + _ID_BYTES + _SALT_BYTES
_KEY_BYTES: Final = 32
_ID_INFO: Final = b"understudy jobs: key id"
_RECORD_INFO: Final = b"understudy jobs: record"


class SealError(Exception):
    """What is sealed can't be opened. The text holds neither it nor a key."""


class NoKeyError(SealError):
    """The key that it was sealed with is not here; `key_id` is that key's, as hexadecimals."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"it was sealed with the key {key_id}, which is not here")
        self.key_id = key_id


class BrokenSealError(SealError):
    """It is not what was sealed, or not where that was put."""


def bound(tenant: str, job_id: str, part: Part) -> bytes:
    """What a record is bound to: the part of which job it is."""
    return msgspec.msgpack.encode((tenant, job_id, part))


class Seals:
    """Seals with one key, and opens with several.

    Args:
        key: seals and opens; None: nothing is sealed.
        earlier: open.
    """

    def __init__(self, key: Secret | None = None, earlier: Sequence[Secret] = ()) -> None:
        self._keys: dict[bytes, bytes] = {}
        self._id: bytes | None = None
        for secret in (*earlier, *([] if key is None else [key])):
            raw = key_bytes(secret.reveal())
            self._id = _derived(raw, b"", _ID_INFO, _ID_BYTES)
            self._keys[self._id] = raw
        if key is None:
            self._id = None

    @property
    def seals(self) -> bool:
        """What is kept is to be sealed."""
        return self._id is not None

    def seal(self, data: bytes, bound_to: bytes) -> bytes:
        """`data`, readable only with the key, and only as what it is `bound_to`.

        Raises:
            LookupError: nothing is sealed here.
        """
        if self._id is None:
            raise LookupError("there is no key to seal with")
        salt = secrets.token_bytes(_SALT_BYTES)
        cipher = AESGCM(_derived(self._keys[self._id], salt, _RECORD_INFO, _KEY_BYTES))
        pieces = [_VERSION, self._id, salt]
        for nonce, piece in _pieces(memoryview(data), PIECE_BYTES):
            pieces.append(cipher.encrypt(nonce, piece, bound_to))
        return b"".join(pieces)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """What was sealed.

        Raises:
            NoKeyError: its key is not here.
            BrokenSealError: it was changed, or is another record's.
        """
        view = memoryview(sealed)
        if len(view) < _HEAD_BYTES + _TAG_BYTES or not sealed.startswith(_VERSION):
            raise BrokenSealError("it is in no form that is known here")
        key_id, salt = bytes(view[1 : 1 + _ID_BYTES]), bytes(view[1 + _ID_BYTES : _HEAD_BYTES])
        key = self._keys.get(key_id)
        if key is None:
            raise NoKeyError(key_id.hex())
        cipher = AESGCM(_derived(key, salt, _RECORD_INFO, _KEY_BYTES))
        try:
            pieces = [
                cipher.decrypt(nonce, piece, bound_to)
                for nonce, piece in _pieces(view[_HEAD_BYTES:], PIECE_BYTES + _TAG_BYTES)
            ]
        except InvalidTag:
            raise BrokenSealError("it is not what was sealed for this") from None
        return b"".join(pieces)


def _pieces(data: memoryview, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Pieces of that size, the last perhaps shorter, with their nonces: number, is it the last."""
    last = max(0, len(data) - 1) // size
    for number in range(last + 1):
        nonce = number.to_bytes(11, "big") + (b"\x01" if number == last else b"\x00")
        yield nonce, data[number * size : (number + 1) * size]


def _derived(key: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(key)
