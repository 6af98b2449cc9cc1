"""The dialects that the stand-in speaks, each as a record of functions."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from understudy.mock.allowance import Allowance, Shortage, Weight
from understudy.mock.ask import Ask, Composition
from understudy.mock.chat import reply as chat_reply
from understudy.mock.chat import request as chat_request
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.ids import Ids
from understudy.mock.messages import limits as messages_limits
from understudy.mock.messages import reply as messages_reply
from understudy.mock.messages import request as messages_request
from understudy.mock.openai import limits as openai_limits
from understudy.mock.openai import vendor
from understudy.mock.reply import Frame, Headers
from understudy.mock.responses import reply as responses_reply
from understudy.mock.responses import request as responses_request
from understudy.mock.responses import stream as responses_stream

__all__ = ["CHAT", "MESSAGES", "RESPONSES", "Dialect", "DialectName"]

DialectName = Literal["messages", "chat_completions", "responses"]


class _Read(Protocol):
    def __call__(self, fields: dict[str, object], *, counting: bool = False) -> Ask: ...


class _Whole(Protocol):
    def __call__(
        self, ask: Ask, made: tuple[Composition, ...], ids: Ids, *, created: int, cache_hit: bool
    ) -> bytes: ...


class _Frames(Protocol):
    def __call__(
        self,
        ask: Ask,
        made: tuple[Composition, ...],
        ids: Ids,
        *,
        created: int,
        cache_hit: bool,
        size: int,
    ) -> tuple[Frame, ...]: ...


class _Headers(Protocol):
    def __call__(self, request_id: str, allowance: Allowance) -> Headers: ...


class _Weigh(Protocol):
    def __call__(self, ask: Ask, *, cache_hit: bool) -> tuple[Weight, ...]: ...


class _Over(Protocol):
    def __call__(self, shortage: Shortage, model: str) -> RefusedError: ...


class _ErrorBody(Protocol):
    def __call__(self, spec: ErrorSpec, request_id: str) -> bytes: ...


class _ErrorEvent(Protocol):
    def __call__(self, spec: ErrorSpec, number: int) -> bytes: ...


class _ModelList(Protocol):
    def __call__(self) -> bytes: ...


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """How one vendor's API is read and written."""

    name: DialectName
    #: Raises RefusedError.
    read: _Read
    whole: _Whole
    frames: _Frames
    headers: _Headers
    #: What a request takes of the limits.
    weigh: _Weigh
    #: What a request over a limit is told.
    over: _Over
    #: Requests that are refused count as requests.
    counts_refused: bool
    error_body: _ErrorBody
    #: (the error, how many events came before it)
    error_event: _ErrorEvent
    model_list: _ModelList
    #: What keeps a silent stream alive.
    ping: bytes
    #: What a client is told who shows no key, or a revoked one ({key}: its ends).
    no_key: ErrorSpec
    bad_key: ErrorSpec
    #: What is not there.
    no_path: ErrorSpec
    #: The body is no JSON object.
    no_json: ErrorSpec


MESSAGES = Dialect(
    name="messages",
    read=messages_request.read,
    whole=messages_reply.whole,
    frames=messages_reply.frames,
    headers=messages_reply.headers,
    weigh=messages_limits.weigh,
    over=messages_limits.over,
    counts_refused=False,
    error_body=messages_reply.error_body,
    error_event=messages_reply.error_event,
    model_list=messages_reply.model_list,
    ping=messages_reply.PING,
    no_key=ErrorSpec(
        status=401, type="authentication_error", message="x-api-key header is required"
    ),
    bad_key=ErrorSpec(status=401, type="authentication_error", message="invalid x-api-key"),
    no_path=ErrorSpec(status=404, type="not_found_error", message="Not found"),
    no_json=ErrorSpec(
        status=400,
        type="invalid_request_error",
        message="The request body is not valid JSON: expected an object.",
    ),
)
CHAT = Dialect(
    name="chat_completions",
    read=chat_request.read,
    whole=chat_reply.whole,
    frames=chat_reply.frames,
    headers=vendor.headers,
    weigh=openai_limits.weigh,
    over=openai_limits.over,
    counts_refused=True,
    error_body=vendor.error_body,
    error_event=chat_reply.error_event,
    model_list=vendor.model_list,
    ping=vendor.PING,
    no_key=vendor.NO_KEY,
    bad_key=vendor.BAD_KEY,
    no_path=vendor.NO_PATH,
    no_json=vendor.NO_JSON,
)
RESPONSES = Dialect(
    name="responses",
    read=responses_request.read,
    whole=responses_reply.whole,
    frames=responses_stream.frames,
    headers=vendor.headers,
    weigh=openai_limits.weigh,
    over=openai_limits.over,
    counts_refused=True,
    error_body=vendor.error_body,
    error_event=responses_reply.error_event,
    model_list=vendor.model_list,
    ping=vendor.PING,
    no_key=vendor.NO_KEY,
    bad_key=vendor.BAD_KEY,
    no_path=vendor.NO_PATH,
    no_json=vendor.NO_JSON,
)
