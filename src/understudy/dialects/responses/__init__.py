"""OpenAI's Responses API, and what servers that offer `/v1/responses` make of it.

Sources: the API reference (developers.openai.com/api/reference/resources/responses) and the
official SDK's types; habits of imitators where each is named.

| part | module |
|---|---|
| a caller's request | `envelope`, `request`, `turns`, `parts`, `shapes`, `extend` |
| a provider's request | `render`, `render_items`, `extras`, `readdress`, `history` |
| whole answers | `answer`, `output`, `wire` |
| streams that pass | `glance`, `payload` |
| streams that are read | `stream`, `blocks`, `sent` |
| streams that are written | `writer`, `draft` |
| small vocabularies | `stops`, `ids`, `errors` |
"""

from __future__ import annotations

from understudy.dialects.base import Dialect
from understudy.dialects.quotas import openai_lines
from understudy.dialects.responses.answer import glance_answer, parse_answer, render_answer
from understudy.dialects.responses.envelope import read_envelope
from understudy.dialects.responses.errors import render_error, render_stream_error
from understudy.dialects.responses.extend import extend
from understudy.dialects.responses.glance import ResponsesGlance
from understudy.dialects.responses.history import without_thinking
from understudy.dialects.responses.readdress import readdress
from understudy.dialects.responses.render import render_request
from understudy.dialects.responses.request import parse_request
from understudy.dialects.responses.sent import ResponsesSent
from understudy.dialects.responses.stream import ResponsesParser
from understudy.dialects.responses.writer import PING, ResponsesWriter

__all__ = ["RESPONSES"]

RESPONSES = Dialect(
    name="responses",
    read_envelope=read_envelope,
    parse_request=parse_request,
    render_answer=render_answer,
    stream_writer=ResponsesWriter,
    sent=ResponsesSent,
    extend=extend,
    ping=PING,
    render_error=render_error,
    render_stream_error=render_stream_error,
    quota_lines=openai_lines,
    render_request=render_request,
    readdress=readdress,
    parse_answer=parse_answer,
    glance_answer=glance_answer,
    stream_parser=ResponsesParser,
    stream_glance=ResponsesGlance,
    forget_thinking=without_thinking,
)
