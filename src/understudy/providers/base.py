"""What the relay must know of a vendor: where it answers, how it is asked, how it fails.

A vendor's manners are a record of functions (`Manners`), pure like everything on this floor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from understudy.core.faults import Fault
from understudy.core.quota import Quota
from understudy.dialects.base import Traits
from understudy.providers.model_list import ModelPage

__all__ = ["Manners", "Reply"]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A whole reply that is not a plain success. Header names in lower case.

    `now` is Unix seconds, for dates in headers and messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    now: float


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of provider."""

    kind: str
    default_base_url: str | None
    #: Wire dialects it speaks unasked, best first: `messages`, `chat_completions`, `responses`. A
    #: caller of one of them is served in it, any other in the first. A configuration may fix one
    #: of these, or another for which there is a `path`.
    dialects: tuple[str, ...]
    #: Whether it may be used without a key (local servers).
    keyless: bool
    #: (operation) → path below `base_url`. Operations: `messages`, `chat_completions`, `responses`,
    #: `count_tokens`, `models`. Raises KeyError for one that the kind does not have.
    path: Callable[[str], str]
    #: (api key or None) → headers that carry it, names in lower case, and the vendor's fixed ones.
    authorise: Callable[[str | None], tuple[tuple[str, str], ...]]
    #: Headers of the caller's that may travel to it, lower case (`anthropic-beta` …).
    forwarded_headers: frozenset[str]
    #: Any non-2xx reply, or a 2xx whose body is not an answer.
    read_fault: Callable[[Reply], Fault]
    #: The JSON of an error inside a 200 stream or body.
    read_error: Callable[[bytes], Fault]
    #: What a model takes.
    traits: Callable[[str], Traits]
    #: (headers of any answer, names in lower case; Unix seconds) → what they say of our rate
    #: limits. Lenient: what is strange is left out.
    read_quotas: Callable[[Mapping[str, str], float], tuple[Quota, ...]]
    #: Whether a request counts with the most that its answer may be, from when it is let in (else
    #: with what is produced, as it is, and without what was read from the vendor's cache).
    reserves_output: bool
    #: The body of the vendor's `models` → what it says of them; None where it says nothing.
    read_models: Callable[[bytes], ModelPage] | None = None
