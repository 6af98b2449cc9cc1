"""What every dialect offers, towards callers and towards providers. All of it is sans-IO.

A dialect is a record of functions (`Dialect`), so that the relay names none of them: it holds the
caller's dialect and the target's. Where they are the same the bytes pass through, read once and
lightly (`AnswerGlance`, `StreamGlance`); where they differ, everything goes through `core`
(`parse_request` → `render_request`, `parse_answer` → `render_answer`, `StreamParser` →
`StreamWriter`).

Completeness is the dialect's knowledge: only a stream that showed its terminal signal, and no
error, is whole (Anthropic: `message_stop`; chat completions: a `finish_reason` for every choice).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from understudy.core.conversation import Answer, Request, Stop, Usage
from understudy.core.events import Event
from understudy.core.faults import Fault, Kind, Scope
from understudy.core.quota import Quota
from understudy.core.transcript import Transcript
from understudy.dialects.fields import decode_fields
from understudy.dialects.stream_glance import StreamGlance

__all__ = [
    "EFFORT",
    "HOLD_TEXT",
    "HOLD_TOOLS",
    "MAX_COMPLETION_TOKENS",
    "MAX_TOKENS",
    "PAST_THINKING",
    "PREFILL",
    "SAMPLING",
    "STOP",
    "THINKING",
    "AnswerGlance",
    "Dialect",
    "Envelope",
    "ErrorView",
    "ReadError",
    "Sent",
    "StreamGlance",
    "StreamParser",
    "StreamWriter",
    "Traits",
    "empty_fault",
    "is_empty",
    "truncated_fault",
]

#: Classifies the JSON of an error that came inside a stream or a 200 body (the provider's table).
ReadError = Callable[[bytes], Fault]


#: What a stream may hold back until the answer's end has been seen: tool calls; all of it.
HOLD_TOOLS = 1
HOLD_TEXT = 2

#: What of a request some models reject: the bits of `Envelope.delicate`.
SAMPLING = 1
EFFORT = 2
STOP = 4
#: A token limit by its old and by its new name (chat completions has two).
MAX_TOKENS = 8
MAX_COMPLETION_TOKENS = 16
THINKING = 32
#: The last turn is the assistant's.
PREFILL = 64
#: There may be thinking in the conversation so far.
PAST_THINKING = 128


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What one model of a provider takes. Tables and sources: `understudy.providers.traits`."""

    #: temperature, top_p, top_k are accepted.
    sampling: bool = True
    #: Anthropic's `thinking: {type: enabled, budget_tokens}` is accepted.
    thinking_budget: bool = True
    #: `thinking: {type: disabled}` is accepted.
    thinking_off: bool = True
    #: `thinking: {type: adaptive}` is accepted.
    thinking_adaptive: bool = False
    #: A conversation may end with an assistant turn to be continued.
    prefill: bool = True
    #: OpenAI reasoning models take `max_completion_tokens`, not `max_tokens`.
    completion_tokens_name: bool = False
    #: OpenAI's `reasoning_effort` is accepted.
    effort: bool = False
    #: `stop` sequences are accepted.
    stop: bool = True
    #: Tokens of context and of output, None where not known.
    context: int | None = None
    max_output: int | None = None

    def allow(self, tokens: int | None) -> bool:
        """Whether a caller's limit of output tokens (None: it sets none) is within the model's."""
        return tokens is None or self.max_output is None or tokens <= self.max_output


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What the relay must know of a request before it chooses a target, and no more."""

    model: str
    stream: bool
    #: The request as it came: one JSON object.
    body: bytes
    #: Bits of what it holds that some model rejects (`SAMPLING` …). Where a target's traits reject
    #: none of them, only `model` changes on the way to it.
    delicate: int = 0
    #: The caller set stop sequences, so that an empty answer may be a right one.
    has_stop: bool = False
    #: The caller's own limit of output tokens: a measure of how long a whole answer may take.
    max_tokens: int | None = None
    #: Structured output is asked for: half of it is of no use.
    structured: bool = False
    #: How many answers are asked for at once (chat completions' `n`).
    choices: int = 1

    @property
    def fields(self) -> dict[str, msgspec.Raw]:
        """Every top-level field, untouched, in the caller's order. Read anew at each call."""
        return decode_fields(self.body)


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """An error to be shown to a caller, in no dialect.

    `kind` is Anthropic's vocabulary of error types without `_error` where both dialects have it:
    invalid_request, authentication, permission, not_found, request_too_large, rate_limit, api,
    overloaded, timeout, billing; and request_limit, token_limit, which OpenAI tells apart.
    `understudy` is our own object
    inside the error: code, feature, message for people, retry_after, request_id.
    """

    status: int
    kind: str
    message: str
    code: str | None = None
    param: str | None = None
    understudy: dict[str, object] = {}
    #: Inside a stream: the number of this event, in a dialect that numbers them.
    number: int = 0


class AnswerGlance(msgspec.Struct, frozen=True, kw_only=True):
    """What a light reading of a whole 200 body shows. `error` is the body's error, as JSON."""

    has_content: bool = False
    stop: Stop | None = None
    usage: Usage | None = None
    error: bytes | None = None


class StreamParser(Protocol):
    """A provider's stream to core events."""

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes as they come, in any split. Never raises: garbage gives `Failed(MALFORMED)`,
        once, and nothing after it; memory stays bounded.
        """
        ...

    def finish(self) -> list[Event]:
        """The provider closed in order. Gives what the end implies (a missing `Ended` where the
        dialect's rule allows one), else `[Failed(TRUNCATED)]`; [] where `Ended` was given.
        """
        ...


class StreamWriter(Protocol):
    """Core events to the caller's stream. It may go on where another left off: see `Sent`."""

    def write(self, events: Iterable[Event]) -> bytes:
        """The bytes for these events; none for `Failed`: see `Dialect.render_stream_error`."""
        ...


class Sent(Protocol):
    """Reads back what a caller has been sent of a stream, so that another may go on with it."""

    #: What stands there so far. Complete events only: half an event was never sent.
    transcript: Transcript

    @property
    def next_number(self) -> int:
        """The number of the next event, in a dialect that numbers them; else 0."""
        ...

    def feed(self, data: bytes) -> None:
        """Take bytes that were sent, in any split, in order. Never raises."""
        ...

    def writer(self, request: Request) -> StreamWriter:
        """A writer that goes on with this stream: its id, model, creation time, block indexes and
        sequence numbers. It is given the next blocks' events, without a `Started`; a `TextDelta`
        without a `BlockStarted` before it adds to the block that is open.
        """
        ...


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One wire dialect. Functions, so that a reader finds each by name in its module."""

    name: str

    # -- the caller's side
    #: Raises BadRequestError.
    read_envelope: Callable[[bytes], Envelope]
    #: Raises BadRequestError.
    parse_request: Callable[[bytes], Request]
    render_answer: Callable[[Answer], bytes]
    stream_writer: Callable[[Request], StreamWriter]
    #: A reader of what was sent in this dialect.
    sent: Callable[[], Sent]
    #: (body, further turns as (role, text), limit of output tokens or None: as it is) → the same
    #: request with these turns at its end. Everything else stays as it came.
    extend: Callable[[bytes, Sequence[tuple[str, str]], int | None], bytes]
    #: What may be sent in an open stream at any time, and says nothing.
    ping: bytes
    #: The JSON body for an error.
    render_error: Callable[[ErrorView], bytes]
    #: The in-stream event for an error; never followed by a terminal event.
    render_stream_error: Callable[[ErrorView], bytes]
    #: (what is left of the caller's limits, Unix seconds) → header lines that tell it.
    quota_lines: Callable[[Iterable[Quota], float], str]

    # -- the provider's side
    #: (request, model, traits) → (body, names of what was adapted). Raises InexpressibleError.
    render_request: Callable[[Request, str, Traits], tuple[bytes, list[str]]]
    #: (envelope, model, traits or None) → (body, names of what was adapted): the same dialect on
    #: both sides. Only `model` changes, and what `traits` (None: the caller's own model) reject.
    readdress: Callable[[Envelope, str, Traits | None], tuple[bytes, list[str]]]
    #: Raises FaultError(MALFORMED).
    parse_answer: Callable[[bytes], Answer]
    #: Raises FaultError(MALFORMED).
    glance_answer: Callable[[bytes], AnswerGlance]
    stream_parser: Callable[[ReadError], StreamParser]
    #: (how errors are read, what is held back)
    stream_glance: Callable[[ReadError, int], StreamGlance]
    #: The same body without any thinking of earlier turns: for a provider that does not take it
    #: (another vendor's signature, say). The very object that came where there was none.
    forget_thinking: Callable[[bytes], bytes] | None = None


def is_empty(*, has_content: bool, stop: Stop | None, has_stop: bool) -> bool:
    """Whether an ended answer is EMPTY: a plain end without content.

    An answer cut by a token limit, by a stop sequence, a tool call or a refusal may rightly carry
    no text (max_tokens=1, say, or a reasoning model that spent its limit on thought). Providers do
    send plain ends with nothing in them, under 200, when they are in trouble.
    """
    return not has_content and stop in {Stop.END, None} and not has_stop


def truncated_fault(message: str) -> Fault:
    """The stream ended without its terminal signal."""
    return Fault(kind=Kind.TRUNCATED, scope=Scope.MODEL, status=200, message=message)


def empty_fault() -> Fault:
    """The answer ended properly and held nothing."""
    return Fault(
        kind=Kind.EMPTY, scope=Scope.MODEL, status=200, message="the answer held no content"
    )
