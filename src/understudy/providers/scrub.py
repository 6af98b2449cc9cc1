"""Makes a provider's text fit to be kept: no credentials, no control characters, not long.

Providers quote keys back (OpenAI's 401: `Incorrect API key provided: sk-…`), URLs carry them
(`?key=`), and a proxy may echo whole headers. What is removed is decided by shape, and rather too
much than too little.
"""

from __future__ import annotations

import re

__all__ = ["LONGEST_MESSAGE", "scrub"]

#: Characters that are kept of a message.
LONGEST_MESSAGE = 500

_GONE = "[redacted]"

#: Nothing beyond this is looked at: pages of megabytes cost nothing.
_LONGEST_INPUT = 8_000

#: Spaces of all sorts, one after the other.
_SPACES = re.compile(r"\s+")
#: Controls, zero-width and direction marks, lone surrogates: invisible, and a way to hide a key
#: from the patterns below.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff]+"
)

_CREDENTIALS: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@ in a URL.
    (re.compile(r"://[^/\s@]{1,200}@"), f"://{_GONE}@"),
    # The key formats of vendors, masked ones (sk-abc***xyz) too. org-/proj_ name an account.
    (
        re.compile(
            r"\b(?:sk|pk|rk|gsk|csk|xai|hf|nvapi|pplx|fw|r8|org|proj|ghp|glpat)[-_]"
            r"[A-Za-z0-9*._\-]{6,}",
            re.IGNORECASE,
        ),
        _GONE,
    ),
    (re.compile(r"\bAIza[A-Za-z0-9_\-*]{6,}"), _GONE),
    (re.compile(r"\bya29\.[A-Za-z0-9_\-.]{6,}"), _GONE),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}"), _GONE),
    # JSON Web Tokens.
    (re.compile(r"\beyJ[A-Za-z0-9_\-]{6,}(?:\.[A-Za-z0-9_\-]*)*"), _GONE),
    # Header values.
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=\-*]{6,}", re.IGNORECASE), rf"\1 {_GONE}"),
    # key=…, "api_key": "…", in URLs, forms, JSON and prose.
    (
        re.compile(
            r"\b((?:x[-_])?(?:goog[-_])?(?:api[-_]?key|key|access[-_]?token|auth[-_]?token|token"
            r"|secret|password|passwd|signature|sig|authorization|credential))"
            r"([\"']?\s?[=:]\s?[\"']?)(?!\[redacted\])[^\s\"'&,;<>]{4,}",
            re.IGNORECASE,
        ),
        rf"\1\2{_GONE}",
    ),
    # Any long run of letters and digits (Azure's, Mistral's, AWS's keys have no prefix).
    (re.compile(r"\b(?=[A-Za-z]{0,64}\d)(?=\d{0,64}[A-Za-z])[A-Za-z0-9]{32,}"), _GONE),
)


def scrub(text: str) -> str:
    """`text` in one line of at most `LONGEST_MESSAGE` characters, credentials replaced."""
    text = _SPACES.sub(" ", _INVISIBLE.sub("", text[:_LONGEST_INPUT])).strip()
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"
