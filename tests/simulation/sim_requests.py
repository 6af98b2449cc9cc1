"""The requests that callers make, and the answers that are right for them.

The stand-in's law makes this possible: the same conversation gives the same answer from every model
in every dialect, so what a caller should read is known to the letter before it asks.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from simulation.sim_script import Request
from understudy.mock import dialect as mock_dialects
from understudy.mock.answers import compose
from understudy.mock.ask import Composition
from understudy.relay.relay import OPERATIONS

__all__ = ["DIALECTS", "FLAVOURS", "PATHS", "body_of", "case_of", "compositions"]

#: Operation → path, of the dialects that the relay takes answers' requests in.
PATHS = {operation: path for path, operation in OPERATIONS.items() if operation != "count_tokens"}
DIALECTS = tuple(PATHS)
#: What may be asked for: prose; a tool that must be called; one that may be; JSON by a schema;
#: thinking shown; an answer that a token limit cuts short.
FLAVOURS = ("text", "tool", "auto_tool", "json", "thinking", "short")

_PROMPTS = (
    "Why do ships keep a logbook? The captain reads what the crew saw at night. Ticket {case}.",
    "Summarise this. The harbour closed at noon. Boats waited outside. Nobody was hurt. {case}.",
    "Write a short note to the port office about {case}. Mention Lisbon, and the late ferry.",
    "Summarise this. Die Fähre nach Åland war spät. 日本語の船 waited, twice. {case}.",
)
_TOOL_PROMPT = "What is the weather in Lisbon tomorrow? It is about {case}."
_TOOL = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "minimum": 1, "maximum": 9},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city", "days", "notes"],
    "additionalProperties": False,
}
_SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}, "body": {"type": "string"}},
    "required": ["title", "body"],
    "additionalProperties": False,
}
_CASE = re.compile(rb"case-(\d+)")
_SHORT = 12
_LONG = 4000


def case_of(body: bytes) -> int | None:
    """The number of the request that a body was made of."""
    found = _CASE.search(body)
    return int(found[1]) if found else None


def body_of(request: Request, model: str = "f") -> dict[str, Any]:
    """The request's body, in its dialect."""
    case = f"case-{request.case}"
    asks_tool = request.flavour in {"tool", "auto_tool"}
    prompt = _TOOL_PROMPT if asks_tool else _PROMPTS[request.case % len(_PROMPTS)]
    limit = _SHORT if request.flavour == "short" else _LONG
    make = {"messages": _messages, "chat_completions": _chat, "responses": _responses}
    return {"model": model, **make[request.dialect](request, prompt.format(case=case), limit)}


def _messages(request: Request, prompt: str, limit: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "max_tokens": limit,
        "stream": request.stream,
        "messages": [{"role": "user", "content": prompt}],
    }
    if request.flavour in {"tool", "auto_tool"}:
        body["tools"] = [{"name": "get_weather", "description": "d", "input_schema": _TOOL}]
        body["tool_choice"] = {"type": "any" if request.flavour == "tool" else "auto"}
    elif request.flavour == "json":
        body["output_config"] = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    elif request.flavour == "thinking":
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    return body


def _chat(request: Request, prompt: str, limit: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "max_tokens": limit,
        "stream": request.stream,
        "messages": [{"role": "user", "content": prompt}],
    }
    if request.stream and request.case % 2:
        body["stream_options"] = {"include_usage": True}
    if request.flavour in {"tool", "auto_tool"}:
        function = {"name": "get_weather", "description": "d", "parameters": _TOOL}
        body["tools"] = [{"type": "function", "function": function}]
        body["tool_choice"] = "required" if request.flavour == "tool" else "auto"
    elif request.flavour == "json":
        schema = {"name": "note", "strict": True, "schema": _SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _responses(request: Request, prompt: str, limit: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "max_output_tokens": max(limit, 16),
        "stream": request.stream,
        "store": False,
        "input": prompt,
    }
    if request.flavour in {"tool", "auto_tool"}:
        tool = {"name": "get_weather", "description": "d", "parameters": _TOOL, "strict": True}
        body["tools"] = [{"type": "function", **tool}]
        body["tool_choice"] = "required" if request.flavour == "tool" else "auto"
    elif request.flavour == "json":
        form = {"type": "json_schema", "name": "note", "strict": True, "schema": _SCHEMA}
        body["text"] = {"format": form}
    return body


@lru_cache(maxsize=4096)
def compositions(request: Request) -> tuple[Composition, ...]:
    """The answers that are right for a request: as asked for, or (where a fault was to strike
    within a tool call) with the tool called in any case.
    """
    # Prompts, and so answers, do not hang on these; equal requests share their answers.
    name = {"messages": "MESSAGES", "chat_completions": "CHAT", "responses": "RESPONSES"}
    models = {"messages": "claude-haiku-4-5"}
    fields = body_of(request, models.get(request.dialect, "gpt-4.1"))
    fields = msgspec.json.decode(msgspec.json.encode(fields))
    ask = getattr(mock_dialects, name[request.dialect]).read(fields)
    plain = compose(ask)
    called = compose(ask, prefer_tool=True)
    return (plain,) if called == plain else (plain, called)
