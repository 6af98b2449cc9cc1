"""Anthropic's Messages API as a dialect, and its token counting beside it.

`MESSAGES` is whole. `COUNT_TOKENS` passes between a caller and a provider of this dialect only:
other dialects have no such operation, so whatever would translate it raises InexpressibleError.
"""

from __future__ import annotations

from typing import NoReturn

from understudy.core.conversation import InexpressibleError
from understudy.dialects.base import Dialect
from understudy.dialects.messages.answer import (
    glance_answer,
    glance_count,
    parse_answer,
    render_answer,
)
from understudy.dialects.messages.envelope import read_count_envelope, read_envelope
from understudy.dialects.messages.errors import render_error, render_stream_error
from understudy.dialects.messages.extend import extend
from understudy.dialects.messages.glance import MessagesGlance
from understudy.dialects.messages.history import without_thinking
from understudy.dialects.messages.readdress import readdress
from understudy.dialects.messages.render import render_request
from understudy.dialects.messages.request import parse_count_request, parse_request
from understudy.dialects.messages.stream import MessagesParser
from understudy.dialects.messages.writer import PING, MessagesWriter
from understudy.dialects.quotas import anthropic_lines
from understudy.dialects.sent import ParsedSent

__all__ = ["COUNT_TOKENS", "MESSAGES"]


def _untranslatable(*_: object) -> NoReturn:
    raise InexpressibleError(
        "count_tokens", "core", "token counting is known to the messages dialect only"
    )


def _sent() -> ParsedSent:
    return ParsedSent(MessagesParser, MessagesWriter)


MESSAGES = Dialect(
    name="messages",
    read_envelope=read_envelope,
    parse_request=parse_request,
    render_answer=render_answer,
    stream_writer=MessagesWriter,
    sent=_sent,
    extend=extend,
    ping=PING,
    render_error=render_error,
    render_stream_error=render_stream_error,
    quota_lines=anthropic_lines,
    render_request=render_request,
    readdress=readdress,
    parse_answer=parse_answer,
    glance_answer=glance_answer,
    stream_parser=MessagesParser,
    stream_glance=MessagesGlance,
    forget_thinking=without_thinking,
)

COUNT_TOKENS = Dialect(
    name="count_tokens",
    read_envelope=read_count_envelope,
    parse_request=parse_count_request,
    render_answer=_untranslatable,
    stream_writer=_untranslatable,
    sent=_untranslatable,
    extend=_untranslatable,
    ping=PING,
    render_error=render_error,
    render_stream_error=render_stream_error,
    quota_lines=anthropic_lines,
    render_request=_untranslatable,
    readdress=readdress,
    parse_answer=_untranslatable,
    glance_answer=glance_count,
    stream_parser=_untranslatable,
    stream_glance=_untranslatable,
    forget_thinking=without_thinking,
)
