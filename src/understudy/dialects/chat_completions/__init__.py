"""OpenAI's chat completions, and what servers that call themselves compatible make of it.

Sources: the API reference (developers.openai.com/api/reference) and the official SDK's types;
habits of vLLM, SGLang, llama.cpp, Ollama, DeepSeek, Mistral and OpenRouter where each is named.

| part | module |
|---|---|
| a caller's request | `request`, `turns`, `shapes` |
| a provider's request | `render`, `render_turns`, `readdress`, `extend`, `history` |
| whole answers | `answer`, `wire` |
| streams | `glance`, `stream`, `blocks`, `payload`, `writer` |
| small vocabularies | `stops`, `ids`, `errors` |
"""

from __future__ import annotations

from understudy.dialects.base import Dialect
from understudy.dialects.chat_completions.answer import (
    glance_answer,
    parse_answer,
    render_answer,
)
from understudy.dialects.chat_completions.errors import render_error, render_stream_error
from understudy.dialects.chat_completions.extend import extend
from understudy.dialects.chat_completions.glance import ChatGlance
from understudy.dialects.chat_completions.history import without_thinking
from understudy.dialects.chat_completions.readdress import readdress
from understudy.dialects.chat_completions.render import render_request
from understudy.dialects.chat_completions.request import parse_request, read_envelope
from understudy.dialects.chat_completions.stream import ChatParser
from understudy.dialects.chat_completions.writer import PING, ChatWriter
from understudy.dialects.quotas import openai_lines
from understudy.dialects.sent import ParsedSent

__all__ = ["CHAT_COMPLETIONS"]


def _sent() -> ParsedSent:
    return ParsedSent(ChatParser, ChatWriter)


CHAT_COMPLETIONS = Dialect(
    name="chat_completions",
    read_envelope=read_envelope,
    parse_request=parse_request,
    render_answer=render_answer,
    stream_writer=ChatWriter,
    sent=_sent,
    extend=extend,
    ping=PING,
    render_error=render_error,
    render_stream_error=render_stream_error,
    quota_lines=openai_lines,
    render_request=render_request,
    readdress=readdress,
    parse_answer=parse_answer,
    glance_answer=glance_answer,
    stream_parser=ChatParser,
    stream_glance=ChatGlance,
    forget_thinking=without_thinking,
)
