"""A caller's JSON body, read with errors that name the field: shared by all dialects.

Every reader here raises `BadRequestError` with the field's path in the caller's own terms
(`messages[0].content[1].text`), never a decoder's exception.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from understudy.core.conversation import BadRequestError, InexpressibleError

__all__ = [
    "capped",
    "decode_body",
    "decode_fields",
    "is_filled_array",
    "known_here_only",
    "optional_bool",
    "present",
    "readdress_model",
    "require_array",
    "require_model",
    "splice_model",
]

T = TypeVar("T")

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MODEL_KEY: Final = b'"model"'
_QUOTE: Final = b'"'
#: A byte, as a number: `bytes` looks for that without trying anything else first.
_BACKSLASH: Final = 0x5C
#: What JSON allows between a key and its value, beside the colon.
_SPACE: Final = b" \t\r\n"
#: How JSON may spell an ASCII letter otherwise.
_ASCII_ESCAPE: Final = b"\\u00"
_NUMBER: Final = msgspec.json.Decoder(int)
_STRING: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()
_OPTIONAL_BOOL = msgspec.json.Decoder(bool | None)

# How msgspec begins its messages for the three faults that mean more than a wrong type.
_REQUIRED: Final = "Object missing required field `"
_UNKNOWN_FIELD: Final = "Object contains unknown field `"
_UNKNOWN_TAG: Final = "Invalid value "


def decode_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """The top-level fields of a JSON object, untouched and in order.

    Raises:
        BadRequestError: the body is not JSON, not an object, or nested too deeply to be read.
    """
    return decode_body(_FIELDS, body)


def decode_body(decoder: msgspec.json.Decoder[T], data: bytes | msgspec.Raw, at: str = "") -> T:
    """Decode a body, or the part of it that stands `at` a path, into the decoder's type.

    A type that forbids unknown fields, or a union by tag, thereby says what all dialects have
    words for: what it does not name is inexpressible elsewhere, not wrong.

    Raises:
        BadRequestError: not JSON, too deep, or of a wrong type; `field` is the fault's path.
        InexpressibleError: an unknown field or an unknown tag, by its path.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _explained(str(error), at) from None
    except RecursionError:
        raise BadRequestError(at or None, "the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise BadRequestError(at or None, "the JSON is not valid UTF-8") from None
    except msgspec.DecodeError as error:
        raise BadRequestError(at or None, f"this is not valid JSON: {error}") from None


def known_here_only(path: str, what: str = "") -> InexpressibleError:
    """The error for a part of a request that no other dialect has words for."""
    subject = f"{path}: {what}" if what else path
    return InexpressibleError(path, "core", f"{subject} is known to the caller's dialect only")


def present(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw | None:
    """A field's JSON; None where it is absent or null."""
    raw = fields.get(name)
    return None if raw is None or _head(raw, 5) == b"null" else raw


def require_model(fields: dict[str, msgspec.Raw]) -> str:
    """The `model` that the caller names.

    Raises:
        BadRequestError: absent, not a string, or empty.
    """
    raw = fields.get("model")
    if raw is None:
        raise BadRequestError("model", "Field required")
    model = decode_body(_STRING, raw, "model")
    if not model.strip():
        raise BadRequestError("model", "Expected a model's name, got an empty string")
    return model


def optional_bool(fields: dict[str, msgspec.Raw], name: str) -> bool:
    """A boolean field; False where it is absent or null.

    Raises:
        BadRequestError: anything else.
    """
    raw = fields.get(name)
    return raw is not None and bool(decode_body(_OPTIONAL_BOOL, raw, name))


def require_array(fields: dict[str, msgspec.Raw], name: str) -> msgspec.Raw:
    """A field that must be a non-empty array. Only its first bytes are read.

    Raises:
        BadRequestError: absent, not an array, or empty.
    """
    raw = fields.get(name)
    if raw is None:
        raise BadRequestError(name, "Field required")
    if _head(raw, 1) != b"[":
        raise BadRequestError(name, "Expected `array`")
    if not is_filled_array(raw):
        raise BadRequestError(name, "Expected at least one item")
    return raw


def is_filled_array(raw: msgspec.Raw | None) -> bool:
    """Whether this is a JSON array with something in it. Only its first bytes are read."""
    if raw is None:
        return False
    head = bytes(memoryview(raw)[:64])
    if head.startswith(b"[{"):
        return True
    return head[:1] == b"[" and head[1:].lstrip()[:1] != b"]"


def readdress_model(fields: dict[str, msgspec.Raw], model: str) -> dict[str, msgspec.Raw]:
    """The same fields in the same order, untouched, with another `model`."""
    return {**fields, "model": msgspec.Raw(_ENCODER.encode(model))}


def splice_model(body: bytes, named: str, model: str) -> bytes | None:
    """`body` with another `model`, every other byte as it was; None where that takes a decoder.

    `named` is what a decoder read as its `model`. The name's place is beyond doubt only where the
    key stands once in all of the body and no escape could spell it another time.
    """
    at = body.find(_MODEL_KEY)
    after = at + len(_MODEL_KEY)
    if at < 0 or body.find(_MODEL_KEY, after) >= 0:
        return None
    if _BACKSLASH in body and _ASCII_ESCAPE in body:
        return None
    start = body.find(_QUOTE, after) + 1
    name = named.encode()
    end = start + len(name)
    # A name with escapes is not what stands there, and so is left to the decoder.
    if body[after : start - 1].strip(_SPACE) != b":" or body[start : end + 1] != name + _QUOTE:
        return None
    return body[:start] + _ENCODER.encode(model)[1:-1] + body[end:]


def capped(raw: msgspec.Raw, most: int | None) -> msgspec.Raw:
    """A token limit no higher than `most`, the model's; what is no number is the provider's to
    judge.
    """
    if most is None:
        return raw
    try:
        return raw if _NUMBER.decode(raw) <= most else msgspec.Raw(b"%d" % most)
    except msgspec.DecodeError:
        return raw


def _head(raw: msgspec.Raw, size: int) -> bytes:
    # A view, so that megabytes of messages are not copied for their first byte.
    return bytes(memoryview(raw)[:size])


def _explained(text: str, at: str) -> BadRequestError | InexpressibleError:
    """A validation error's text, ``Expected `str`, got `int` - at `$.a[0]` ``, in our terms."""
    message, mark, place = text.rpartition(" - at `$")
    inner = place.rstrip("`") if mark else ""
    path = at + inner if at else inner.removeprefix(".")
    message = message or text
    if message.startswith(_REQUIRED):
        name = message[len(_REQUIRED) :].rstrip("`")
        return BadRequestError(f"{path}.{name}" if path else name, "Field required")
    if message.startswith(_UNKNOWN_FIELD):
        name = message[len(_UNKNOWN_FIELD) :].rstrip("`")
        return known_here_only(f"{path}.{name}" if path else name)
    if message.startswith(_UNKNOWN_TAG):
        tag = message[len(_UNKNOWN_TAG) :]
        return known_here_only(path.removesuffix(".type"), f"the type {tag}")
    return BadRequestError(path or None, message)
