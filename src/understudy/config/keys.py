"""Shapes of keys that are random bytes in base64: what seals jobs, what signs callbacks."""

from __future__ import annotations

from understudy.config.document import Scalar
from understudy.config.shapes import FILLED, ScalarShape, Schema, Wrong
from understudy.core.key_text import key_bytes
from understudy.core.settings import Secret

__all__ = ["EncryptionKey", "WebhookSecret"]

_BASE64 = "[A-Za-z0-9+/_-]"


class EncryptionKey(ScalarShape[Secret]):
    """A key of AES-256: 32 bytes; or, where that is allowed, nothing."""

    remedy = "write a key that `understudy keys encryption` makes"

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty

    def parse(self, scalar: Scalar) -> Secret:
        """The key as it is written, hidden."""
        text = scalar.text
        if text or not self._empty:
            try:
                length = len(key_bytes(text))
            except ValueError:
                raise Wrong("is not base64") from None
            if length != 32:
                raise Wrong(f"is a key of {length} bytes, not of 32")
        return Secret(text)

    def schema(self) -> Schema:
        """A text; `writeOnly`, since nobody reads it back."""
        pattern = f"^{_BASE64}{{43}}=?$"
        if self._empty:
            pattern = f"^({_BASE64}{{43}}=?)?$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, FILLED], "writeOnly": True}


class WebhookSecret(ScalarShape[Secret]):
    """A signing secret of Standard Webhooks: `whsec_` and 24 to 64 bytes
    (https://github.com/standard-webhooks/standard-webhooks, "Signature scheme").
    """

    remedy = "write a secret that `understudy keys webhook` makes: whsec_…"

    def parse(self, scalar: Scalar) -> Secret:
        """The secret as it is written, hidden."""
        prefix, mark, text = scalar.text.partition("whsec_")
        if prefix or not mark:
            raise Wrong("does not begin with whsec_" if scalar.text else "is empty")
        try:
            length = len(key_bytes(text))
        except ValueError:
            raise Wrong("is not base64 behind whsec_") from None
        if not 24 <= length <= 64:
            raise Wrong(f"is a secret of {length} bytes, not of 24 to 64")
        return Secret(scalar.text)

    def schema(self) -> Schema:
        """A text; `writeOnly`, since nobody reads it back."""
        pattern = f"^whsec_{_BASE64}{{32,86}}={{0,2}}$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, FILLED], "writeOnly": True}
