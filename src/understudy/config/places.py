"""Shapes of where things are: an address to listen on, a base URL, a target."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

import msgspec

from understudy.config.document import Scalar
from understudy.config.shapes import FILLED, ScalarShape, Schema, Wrong
from understudy.core.settings import Listen, is_loopback
from understudy.core.store_place import StorePlace, StoreUrlError, parse_store_url

__all__ = [
    "NAME_PATTERN",
    "Address",
    "BaseUrl",
    "StatusPage",
    "StoreUrl",
    "TargetName",
    "Use",
    "WebhookUrl",
]

#: Names of providers, accounts and features: neither `/` nor `@`, which part them in a target.
NAME_PATTERN = "[a-z0-9][a-z0-9_-]{0,63}"

# RFC 1123 §2.1: letters, digits, hyphens inside; an underscore is tolerated, as container
# networks use it.
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_MODEL = re.compile(r"[!-)+-~]+", re.ASCII)


class Address(ScalarShape[Listen]):
    """`HOST:PORT` to listen on; an IPv6 address in brackets; port 0 takes any free one."""

    remedy = "write HOST:PORT, such as `127.0.0.1:8080` or `[::1]:8080` (in quotes)"
    _pattern = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):[0-9]{1,5}$"

    def parse(self, scalar: Scalar) -> Listen:
        """The host without brackets, and the port."""
        host, colon, port = scalar.text.rpartition(":")
        if not colon:
            raise Wrong("has no port" if not scalar.text.isdigit() else "has no host")
        if not host:
            raise Wrong("has no host (`0.0.0.0` is every interface)")
        if re.fullmatch("[0-9]{1,5}", port, re.ASCII) is None or int(port) > 65535:
            raise Wrong("has no port from 0 to 65535")
        return Listen(host=_plain_host(host), port=int(port))

    def schema(self) -> Schema:
        """A text of the pattern, or one to be filled."""
        return {"anyOf": [{"type": "string", "pattern": self._pattern}, FILLED]}

    def spell(self, value: Listen) -> str:
        """As it is written in a file."""
        host = f"[{value.host}]" if ":" in value.host else value.host
        return f"{host}:{value.port}"


class _Url(ScalarShape[str]):
    """A URL that is called as it is. Plain http only to this machine."""

    #: What plain http to another machine would mean; what else is wrong with a name in a URL.
    _risk: str
    _instead = ""

    def parse(self, scalar: Scalar) -> str:
        """The URL; where others are made from it, without a slash at its end."""
        text = scalar.text
        if not all("!" <= character <= "~" for character in text):
            raise Wrong("holds a space or a character that must be percent-encoded")
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise Wrong("is not a URL") from None
        if parts.scheme not in {"http", "https"} or not host:
            raise Wrong("is not an http or https URL")
        if parts.username is not None or parts.password is not None:
            raise Wrong(f"holds a user name or a password{self._instead}")
        if "?" in text or "#" in text:
            raise Wrong("holds a query or a fragment")
        if port == 0:
            raise Wrong("has port 0")
        _plain_host(f"[{host}]" if ":" in host else host)
        if parts.scheme == "http" and not is_loopback(host):
            raise Wrong(f"is plain http to another machine, {self._risk}")
        return urlunsplit((parts.scheme, parts.netloc, self._path(parts.path), "", ""))

    def _path(self, path: str) -> str:
        return path.rstrip("/")

    def schema(self) -> Schema:
        """A URL, or a text to be filled."""
        pattern = "^(https://|http://(localhost|127\\.[0-9.]+|\\[::1\\])(:|/|$))[!-~]*$"
        return {"anyOf": [{"type": "string", "format": "uri", "pattern": pattern}, FILLED]}


class BaseUrl(_Url):
    """Where a provider's API begins: a key travels with what is sent there."""

    remedy = "write a URL such as `https://api.example.com/v1`"
    _risk = "which would show the key on the way"
    _instead = " (a key belongs in `accounts`)"


class StatusPage(_Url):
    """A provider's public status page, or a feed of it."""

    remedy = "write a URL such as `https://status.example.com`"
    _risk = "where anyone on the way could change what it says"


class WebhookUrl(_Url):
    """Where somebody is told of what has happened."""

    remedy = "write a URL such as `https://product.example.com/hooks/ai`"
    _risk = "which would show on the way what it says"
    _instead = " (it is signed with `secret` instead)"

    def _path(self, path: str) -> str:
        return path


class StoreUrl(ScalarShape[StorePlace]):
    """Where jobs are kept. The text may hold a password, and so is never repeated."""

    remedy = "write `memory`, `sqlite:///understudy.db` or `postgresql://USER:PASSWORD@HOST/NAME`"

    def parse(self, scalar: Scalar) -> StorePlace:
        """The place; whether there is such a store shows only when it is opened."""
        if not all("!" <= character <= "~" for character in scalar.text):
            raise Wrong("holds a space or a character that must be percent-encoded")
        try:
            return parse_store_url(scalar.text)
        except StoreUrlError as error:
            raise Wrong(f"can't be used: {error}") from None

    def schema(self) -> Schema:
        """A word or a URL, or a text to be filled; `writeOnly`, since it may hold a password."""
        pattern = "^(memory|sqlite:///[!-~]+|(postgresql|postgres)://[!-~]+)$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, FILLED], "writeOnly": True}

    def spell(self, value: StorePlace) -> str:
        """As it is written in a file, without a password."""
        return str(value)


class Use(msgspec.Struct, frozen=True):
    """A target as it is named: one model, at one account or at all of a provider's."""

    provider: str
    account: str | None
    model: str


class TargetName(ScalarShape[Use]):
    """`provider/model` or `provider@account/model`; the model may hold `/` itself."""

    remedy = (
        "write `provider/model` or `provider@account/model`; "
        "the model `*` stands for the one that the caller named"
    )

    def parse(self, scalar: Scalar) -> Use:
        """The names in it; whether there are such is for others to say."""
        where, slash, model = scalar.text.partition("/")
        provider, at, account = where.partition("@")
        if not slash or not model:
            raise Wrong("names no model")
        if not provider or (at and not account):
            raise Wrong("names no provider" if not provider else "names no account after the `@`")
        if model != "*" and _MODEL.fullmatch(model) is None:
            raise Wrong("names a model with a space, a `*` or a sign outside ASCII in its name")
        return Use(provider, account or None, model)

    def schema(self) -> Schema:
        """A text of the pattern, or one to be filled."""
        pattern = f"^{NAME_PATTERN}(@{NAME_PATTERN})?/(\\*|{_MODEL.pattern})$"
        return {"anyOf": [{"type": "string", "pattern": pattern}, FILLED]}


def _plain_host(text: str) -> str:
    """A host without its brackets. Raises Wrong if it is none."""
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text.removeprefix("[").removesuffix("]")))
        except ValueError:
            raise Wrong("has no IPv6 address in its brackets") from None
    if _HOST.fullmatch(text) is None:
        raise Wrong("has no host name or IP address")
    if re.fullmatch(r"[0-9.]+", text):
        try:
            return str(ipaddress.IPv4Address(text))
        except ValueError:
            raise Wrong("has no IPv4 address of four numbers") from None
    return text
