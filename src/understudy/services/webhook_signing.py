"""Signatures of Standard Webhooks, the symmetric ones (`v1`)
(https://github.com/standard-webhooks/standard-webhooks, "Signature scheme").
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable

from understudy.core.key_text import key_bytes
from understudy.core.settings import Secret

__all__ = ["signatures"]


def signatures(secrets: Iterable[Secret], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: one for each secret, so that either side of a change of
    secrets can verify.

    `timestamp`: of the attempt, Unix seconds. `message_id` holds no full stop.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = []
    for secret in secrets:
        key = key_bytes(secret.reveal().removeprefix("whsec_"))
        digest = hmac.digest(key, signed, hashlib.sha256)
        made.append(f"v1,{base64.b64encode(digest).decode()}")
    return " ".join(made)
