"""Whole answers: read from a provider, written to a caller, glanced at in passing."""

from __future__ import annotations

from typing import Final

import msgspec

from understudy.core.conversation import (
    Answer,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolUse,
    Usage,
)
from understudy.core.faults import Fault, FaultError, Kind, Scope
from understudy.dialects.base import AnswerGlance
from understudy.dialects.chat_completions.glance import holds_content
from understudy.dialects.chat_completions.ids import made_tool_id
from understudy.dialects.chat_completions.payload import malformed, usage_of
from understudy.dialects.chat_completions.stops import broken_off, finish_reason_for, stop_for
from understudy.dialects.chat_completions.wire import (
    UNREADABLE,
    Choice,
    Completion,
    Delta,
    FunctionCall,
    LenientDecoder,
    PlainCompletion,
    ToolCall,
    arguments_of,
    is_error,
    reasoning_of,
    text_of,
)
from understudy.dialects.chat_completions.written import (
    WrittenChoice,
    WrittenCompletion,
    WrittenMessage,
    WrittenUsage,
    written_usage,
)

__all__ = ["glance_answer", "parse_answer", "render_answer", "usage_json"]

_COMPLETIONS: Final = LenientDecoder(Completion)
_ENCODER: Final = msgspec.json.Encoder()
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def parse_answer(body: bytes) -> Answer:
    """A provider's completion in the core's words; of several choices, the first.

    Raises:
        FaultError: MALFORMED where the body is no completion or a call's arguments are no JSON
            object; TRUNCATED, OUTAGE or OVERLOAD where the server says that it broke off.
    """
    completion = _completion(body)
    if is_error(completion):
        raise FaultError(malformed("the body is an error under status 200"))
    if not completion.choices:
        raise FaultError(malformed("the body is no chat completion with a choice"))
    choice = completion.choices[0]
    message = choice.message or Delta()
    stop = _stop_of(choice)
    return Answer(
        id=completion.id,
        model=completion.model,
        parts=(*_prose(message), *_calls(message, completion.id, stop)),
        stop=stop,
        usage=usage_of(completion.usage) or Usage(),
        created=completion.created,
    )


def glance_answer(body: bytes) -> AnswerGlance:
    """What a passing completion shows. `error` is the whole body where it holds an error.

    Raises:
        FaultError: as `parse_answer`; some servers answer 200 with a body of another kind.
    """
    plain = _glance_plain(body)
    if plain is not None:
        return plain
    completion = _completion(body)
    if is_error(completion):
        return AnswerGlance(error=body)
    if completion.choices is None:
        raise FaultError(malformed("the body is no chat completion"))
    choices = completion.choices
    return AnswerGlance(
        has_content=any(choice.message and holds_content(choice.message) for choice in choices),
        stop=_stop_of(choices[0]) if choices else None,
        usage=usage_of(completion.usage),
    )


_PLAIN: Final = msgspec.json.Decoder(PlainCompletion)
_PLAIN_STOPS: Final = {"stop": Stop.END, "length": Stop.LENGTH, "tool_calls": Stop.TOOL_USE}


def _glance_plain(body: bytes) -> AnswerGlance | None:
    """The common case: one choice, with text, ended by a word that we know. Else None."""
    try:
        plain = _PLAIN.decode(body)
        if not body.isascii():
            body.decode()  # What the decoder skips, it does not check.
    except UNREADABLE:
        return None
    choice = plain.choices[0]
    stop = _PLAIN_STOPS.get(choice.finish_reason)
    if stop is None or not choice.message.content:
        return None
    return AnswerGlance(has_content=True, stop=stop, usage=usage_of(plain.usage))


def render_answer(answer: Answer) -> bytes:
    """An answer as a completion with one choice.

    Thinking goes into `reasoning_content`, as DeepSeek, vLLM and SGLang do it; signatures and
    redacted thinking, which only their own vendor can read, have no place in the dialect.
    """
    texts: list[str] = []
    refusals: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, object]] = []
    for part in answer.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ToolUse):
            calls.append(_call_json(part))
        elif isinstance(part, Refusal):
            refusals.append(part.text)
        else:
            thoughts.append(part.text)
    message = WrittenMessage(
        "assistant",
        "".join(texts) if texts else None,
        "".join(refusals) if refusals else None,
    )
    if thoughts:
        message.reasoning_content = "".join(thoughts)
    if calls:
        message.tool_calls = calls
    reason = finish_reason_for(answer.stop, refused=bool(refusals))
    return _ENCODER.encode(
        WrittenCompletion(
            answer.id,
            "chat.completion",
            answer.created,
            answer.model,
            (WrittenChoice(0, message, None, reason),),
            usage_json(answer.usage),
        )
    )


def usage_json(usage: Usage) -> WrittenUsage:
    """OpenAI's `usage` object."""
    return written_usage(
        usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning
    )


def _completion(body: bytes) -> Completion:
    try:
        return _COMPLETIONS.decode(body)
    except ValueError:
        raise FaultError(malformed("the body is no JSON of a chat completion")) from None


def _stop_of(choice: Choice) -> Stop:
    fault = broken_off(choice.finish_reason)
    if fault is not None:
        raise FaultError(fault)
    message = choice.message or Delta()
    return stop_for(
        choice.finish_reason,
        called=bool(message.tool_calls or message.function_call),
        refused=bool(message.refusal),
    )


def _prose(message: Delta) -> list[Text | Thinking | Refusal]:
    parts: list[Text | Thinking | Refusal] = []
    reasoning = reasoning_of(message)
    if reasoning:
        parts.append(Thinking(text=reasoning))
    text = text_of(message.content)
    if text:
        parts.append(Text(text=text))
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    return parts


def _calls(message: Delta, answer_id: str, stop: Stop) -> list[ToolUse]:
    calls = list(message.tool_calls or ())
    if message.function_call is not None:
        calls.append(ToolCall(function=message.function_call))
    uses: list[ToolUse] = []
    for position, call in enumerate(calls):
        function = call.function or FunctionCall()
        arguments = arguments_of(function).strip() or "{}"
        if not function.name:
            raise FaultError(_misfit("a tool call without a name"))
        if not _is_object(arguments):
            if stop in {Stop.LENGTH, Stop.CONTEXT}:
                break  # The limit cut this call short: it cannot be made.
            raise FaultError(_misfit("a tool call's arguments are no JSON object"))
        uses.append(
            ToolUse(
                id=call.id or made_tool_id(answer_id, position),
                name=function.name,
                arguments=arguments,
            )
        )
    return uses


def _is_object(text: str) -> bool:
    try:
        _OBJECT.decode(text)
    except UNREADABLE:
        return False
    return True


def _misfit(message: str) -> Fault:
    return Fault(kind=Kind.MALFORMED, scope=Scope.MODEL, status=200, message=message)


def _call_json(use: ToolUse) -> dict[str, object]:
    return {
        "id": use.id,
        "type": "function",
        "function": {"name": use.name, "arguments": use.arguments},
    }
