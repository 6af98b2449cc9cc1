"""The configuration that `understudy init` writes: what the keys at hand allow, with comments.

It names variables and never holds a value of one, except an address (`OLLAMA_HOST`).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from understudy.config.document import Scalar
from understudy.config.places import BaseUrl
from understudy.config.shapes import SecretText, Wrong

__all__ = ["STAND_IN_ADDRESS", "Starter", "starter"]

#: Where the starter expects `understudy mock` when there is no key at all.
STAND_IN_ADDRESS = "127.0.0.1:8089"

# Ollama's default: https://docs.ollama.com/api/openai-compatibility
_OLLAMA_PORT = 11434
_OLLAMA_URL = f"http://127.0.0.1:{_OLLAMA_PORT}/v1"


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration to begin with."""

    text: str
    #: What it was made from: names of variables. Empty: it needs the stand-in.
    found: tuple[str, ...]


class _Vendor(msgspec.Struct, frozen=True):
    """A vendor with keys, as the starter knows it."""

    name: str
    variables: tuple[str, str]
    model: str
    status_page: str
    stand_in_url: str


_VENDORS = (
    _Vendor(
        "anthropic",
        ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2"),
        "claude-sonnet-5",
        "https://status.claude.com",
        f"http://{STAND_IN_ADDRESS}",
    ),
    _Vendor(
        "openai",
        ("OPENAI_API_KEY", "OPENAI_API_KEY_2"),
        "gpt-5.2",
        "https://status.openai.com",
        f"http://{STAND_IN_ADDRESS}/v1",
    ),
)
_ACCOUNTS = ("main", "backup")

_HEAD = """\
# Understudy's configuration. Every key: docs/configuration.md
# `understudy check -c FILE` says what is wrong with it.
# "${NAME}" is filled from the environment, so that no secret stands in this file.

relay: {listen: 127.0.0.1:8080}   # what your product calls: /v1/…
web:   {listen: 127.0.0.1:8081}   # what people see: the status page

# Who may call the relay. Needed as soon as it listens to other machines.
# `understudy keys new web-app` makes a key and prints the line for here.
# callers:
#   - {name: web-app, key_digest: "sha256:…"}
"""

_TENANTS = """
# What may never be used for a tenant, fallback or not.
# tenants:
#   acme: {providers: [anthropic], substitutes: false}
"""


def starter(env: Mapping[str, str]) -> Starter:
    """A configuration that passes `load` in this environment."""
    found = tuple(
        name for vendor in _VENDORS for name in vendor.variables if _is_key(env.get(name, ""))
    )
    local = _ollama_url(env.get("OLLAMA_HOST", ""))
    if found or local:
        providers = _providers(found, local)
        vendors = [vendor for vendor in _VENDORS if set(vendor.variables) & set(found)]
    else:
        providers, vendors = _stand_ins(), list(_VENDORS)
    targets = [f"{vendor.name}/{vendor.model}" for vendor in vendors]
    text = _HEAD + providers + _features(targets, local) + _TENANTS
    return Starter(text=text, found=(*found, "OLLAMA_HOST") if local else found)


def _providers(found: tuple[str, ...], local: str | None) -> str:
    lines = ["", "providers:"]
    for vendor in _VENDORS:
        used = set(vendor.variables) & set(found)
        mark = "" if used else "# "
        lines += [f"  {mark}{vendor.name}:", f"  {mark}  kind: {vendor.name}"]
        lines.append(f"  {mark}  accounts:   # in order; each fails on its own")
        for account, name in zip(_ACCOUNTS, vendor.variables, strict=True):
            off = mark if name in used or mark else "# "
            lines.append(f'  {off}    {account}: {{api_key: "${{{name}}}"}}')
        lines.append(f"  {mark}  status_page: {vendor.status_page}   # heard as one witness")
    mark = "" if local else "# "
    lines += [
        f"  {mark}local:   # Ollama, vLLM, llama.cpp: whatever speaks chat completions",
        f"  {mark}  kind: openai-compatible",
        f"  {mark}  base_url: {local or _OLLAMA_URL}",
    ]
    return "\n".join([*lines, ""])


def _stand_ins() -> str:
    lines = [
        "",
        "# No key was found in the environment, so both providers are a stand-in:",
        f"# `understudy mock --listen {STAND_IN_ADDRESS}`. With real keys, take out `base_url`",
        "# and write the keys as shown.",
        "providers:",
    ]
    for vendor in _VENDORS:
        lines += [
            f"  {vendor.name}:",
            f"    kind: {vendor.name}",
            f"    base_url: {vendor.stand_in_url}",
            f'    accounts: {{main: {{api_key: stand-in}}}}   # "${{{vendor.variables[0]}}}"',
        ]
    return "\n".join([*lines, ""])


def _features(targets: list[str], local: str | None) -> str:
    lines = [
        "",
        "features:",
        "  assistant:   # what a request's `model` names; one entry for each AI feature",
        "    title: AI assistant",
        '    models: ["claude-*", "gpt-*"]   # other names that callers may use for it',
        "    targets:   # in order of preference",
    ]
    lines += [f"      - {target}" for target in targets]
    if local:
        lines.append("      - {use: local/llama3.2, tier: reduced}   # a model that it serves")
    lines += [
        "    deadline: 120s     # the whole request, every attempt in it",
        "    first_token: 10s   # an attempt without content by then gives way to the next",
        "    idle: 30s          # silence allowed inside a stream",
        "    attempts: 3        # at most, of all targets together",
        "    continue_streams: true   # a stream that breaks goes on at the next target",
        "    hedge: off         # `auto`: a second attempt beside a slow first one",
    ]
    return "\n".join([*lines, ""])


def _is_key(value: str) -> bool:
    try:
        return bool(SecretText().parse(Scalar(value)).reveal())
    except Wrong:
        return False


def _ollama_url(host: str) -> str | None:
    """The base URL behind `OLLAMA_HOST`, None where there is none that may be used.

    The variable also tells Ollama's server where to listen, so that it may hold an address such as
    0.0.0.0, without scheme or port (https://docs.ollama.com/faq).
    """
    text = host.strip()
    if not text or "$" in text:
        return None
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        name, port = parts.hostname or "127.0.0.1", parts.port
    except ValueError:
        return None
    if parts.username is not None or parts.password is not None:
        return None
    if name in {"0.0.0.0", "::"}:  # noqa: S104 - read, not bound
        name = "127.0.0.1"
    if port is None and parts.scheme == "http":
        port = _OLLAMA_PORT
    name = f"[{name}]" if ":" in name else name
    place = name if port is None else f"{name}:{port}"
    try:
        return BaseUrl().parse(Scalar(f"{parts.scheme}://{place}{parts.path.rstrip('/')}/v1"))
    except Wrong:
        return None
