"""A request as it is kept: all that is needed to make it again, and no key of its caller's."""

from __future__ import annotations

import hmac
from typing import Final

import msgspec

from understudy.core.settings import Caller
from understudy.relay.http import Incoming
from understudy.relay.order import Order

__all__ = ["UnreadableError", "body_digest", "key_digest", "pack", "unpack"]

_VERSION: Final = 1
#: Of the caller's headers, those that say what is asked, and the trace that it belongs to.
_MEANING: Final = ("anthropic-beta", "anthropic-version", "openai-beta")
_KEPT: Final = (*_MEANING, "traceparent")


class Parcel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a request. `own` are its headers of ours, `user` is a keyed digest."""

    version: int
    path: str
    operation: str
    query: str = ""
    headers: dict[str, str] = {}
    own: dict[str, str] = {}
    user: str | None = None
    body: bytes


class UnreadableError(Exception):
    """What was kept was not written by a program that this one knows."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Parcel)


def pack(order: Order) -> bytes:
    """A request that has been understood, as bytes."""
    request = order.request
    return _ENCODER.encode(
        Parcel(
            version=_VERSION,
            path=request.path,
            operation=order.operation,
            query=request.query,
            headers=_kept(request, _KEPT),
            own=_own(order),
            user=order.user,
            body=request.body,
        )
    )


def unpack(data: bytes, caller: Caller | None, now: float) -> tuple[Incoming, str | None]:
    """The request, as if it arrived `now`, and its user's digest.

    Raises:
        UnreadableError: it is in no form that is known here.
    """
    try:
        parcel = _DECODER.decode(data)
    except msgspec.DecodeError:
        raise UnreadableError("not a request as it is kept here") from None
    if parcel.version != _VERSION:
        raise UnreadableError(f"kept in form {parcel.version}, and {_VERSION} is known here")
    request = Incoming(
        method="POST",
        path=parcel.path,
        query=parcel.query,
        headers=parcel.headers,
        own=parcel.own,
        body=parcel.body,
        caller=caller,
        arrived=now,
        operation=parcel.operation,
    )
    return request, parcel.user


def key_digest(caller: Caller | None, key: str) -> str:
    """What is kept of an `Idempotency-Key`: of no use to anyone who does not hold the caller's."""
    return hmac.digest(_secret(caller), b"key\0" + key.encode(), "sha256").hex()


def body_digest(caller: Caller | None, order: Order) -> str:
    """Over everything that makes two requests the same one; keyed as `key_digest` is."""
    request = order.request
    meaning = _ENCODER.encode(
        (order.operation, request.query, _kept(request, _MEANING), _own(order))
    )
    return hmac.digest(_secret(caller), b"body\0" + meaning + request.body, "sha256").hex()


def _secret(caller: Caller | None) -> bytes:
    """Is the same after a restart, and stands in no store. Without callers nobody but this machine
    is let in, and there is nobody to keep a key from.
    """
    return b"understudy" if caller is None else caller.key_digest.encode()


def _kept(request: Incoming, names: tuple[str, ...]) -> dict[str, str]:
    return {name: request.headers[name] for name in names if name in request.headers}


def _own(order: Order) -> dict[str, str]:
    """Where it belongs, by name: a model's name may mean another feature tomorrow."""
    own = {"x-understudy-feature": order.place.route.feature.name}
    if order.place.tenant is not None:
        own["x-understudy-tenant"] = order.place.tenant
    tiers = order.request.own.get("x-understudy-tiers")
    if tiers is not None:
        own["x-understudy-tiers"] = tiers
    return own
