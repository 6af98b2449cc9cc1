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
from understudy.core.faults import FaultError, Scope
from understudy.dialects.base import AnswerGlance
from understudy.dialects.responses.ids import item_id, response_id
from understudy.dialects.responses.output import (
    Json,
    call_item,
    message_item,
    reasoning_item,
    refusal_part,
    response_head,
    response_tail,
    summary_part,
    text_part,
)
from understudy.dialects.responses.payload import failure_of, malformed
from understudy.dialects.responses.stops import FAILED, UNFINISHED, status_for, stop_for
from understudy.dialects.responses.wire import (
    UNREADABLE,
    Item,
    Part,
    Response,
    arguments_of,
    decode_response,
    holds_content,
    reason_of,
    refuses,
    usage_of,
)

__all__ = ["glance_answer", "parse_answer", "render_answer"]

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
# A tuple: `A | B` would make a new union at each test.
_WORDS = (Text, Refusal)


def parse_answer(body: bytes) -> Answer:
    """A response in the core's words. Items that core has no word for (built-in tools) are left
    out, and so is a call that a token limit cut in its arguments: it cannot be made.

    Raises:
        FaultError: MALFORMED; no response, an error, one that is still being made, or a call
            without an id, a name or a JSON object.
    """
    response = _response(body)
    if response.error or response.status in FAILED:
        raise FaultError(malformed("the body is an error under status 200"))
    if response.output is None:
        raise FaultError(malformed("the body is no response with an output"))
    stop = _stop_of(response, response.output)
    parts = [part for item in response.output for part in _parts_of(item, stop)]
    return Answer(
        id=response.id,
        model=response.model,
        parts=tuple(parts),
        stop=stop,
        usage=usage_of(response.usage) or Usage(),
        created=int(response.created_at),
    )


def glance_answer(body: bytes) -> AnswerGlance:
    """What a passing response shows. `error` is the response's own where it failed.

    Raises:
        FaultError: MALFORMED; no response, or one that is still being made.
    """
    response = _response(body)
    if response.error or response.status in FAILED:
        return AnswerGlance(error=failure_of(response))
    if response.output is None:
        raise FaultError(malformed("the body is no response with an output"))
    return AnswerGlance(
        has_content=any(holds_content(item) for item in response.output),
        stop=_stop_of(response, response.output),
        usage=usage_of(response.usage),
    )


def render_answer(answer: Answer) -> bytes:
    """An answer as a response. Neighbouring texts and refusals are one message.

    Thinking becomes the summary of a reasoning item; signatures and redacted thinking, which only
    their own vendor can read, stay behind.
    """
    own_id = response_id(answer.id)
    refused = any(isinstance(part, Refusal) for part in answer.parts)
    status, reason = status_for(answer.stop, refused=refused)
    groups = _grouped(answer)
    output = [
        _item(group, own_id, index, "completed" if index < len(groups) - 1 else status)
        for index, group in enumerate(groups)
    ]
    head = response_head(own_id, answer.model, answer.created)
    return msgspec.json.encode({**head, **response_tail(status, reason, output, answer.usage)})


def _grouped(answer: Answer) -> list[list[Text | Refusal] | ToolUse | Thinking]:
    """One entry for each output item."""
    groups: list[list[Text | Refusal] | ToolUse | Thinking] = []
    for part in answer.parts:
        if isinstance(part, _WORDS):
            last = groups[-1] if groups else None
            if isinstance(last, list):
                last.append(part)
            else:
                groups.append([part])
        elif isinstance(part, ToolUse) or part.text:
            groups.append(part)
    return groups


def _item(
    group: list[Text | Refusal] | ToolUse | Thinking, own_id: str, index: int, status: str
) -> Json:
    if isinstance(group, list):
        content = [_word(part) for part in group]
        return message_item(item_id("message", own_id, index), status, content)
    if isinstance(group, ToolUse):
        mark = item_id("function_call", own_id, index)
        return call_item(mark, status, group.id, group.name, group.arguments)
    return reasoning_item(item_id("reasoning", own_id, index), [summary_part(group.text)])


def _response(body: bytes) -> Response:
    try:
        response = decode_response(body)
    except ValueError:
        raise FaultError(malformed("the body is no JSON of a response")) from None
    if response.status in UNFINISHED:
        raise FaultError(malformed("the response is still being made"))
    return response


def _stop_of(response: Response, output: list[Item]) -> Stop:
    return stop_for(
        is_cut=response.status == "incomplete",
        reason=reason_of(response),
        called=any(item.type == "function_call" for item in output),
        refused=any(refuses(item) for item in output),
    )


def _parts_of(item: Item, stop: Stop) -> list[Text | ToolUse | Thinking | Refusal]:
    match item.type:
        case "message":
            return [_said(part) for part in item.content or () if part.text or part.refusal]
        case "reasoning":
            sections = item.summary or item.content or ()
            text = "\n\n".join(part.text for part in sections if part.text)
            return [Thinking(text=text)] if text else []
        case "function_call":
            return _call(item, stop)
        case _:
            return []


def _said(part: Part) -> Text | Refusal:
    return Refusal(text=part.refusal) if part.refusal else Text(text=part.text or "")


def _call(item: Item, stop: Stop) -> list[Text | ToolUse | Thinking | Refusal]:
    if not item.call_id or not item.name:
        raise FaultError(malformed("a function call has no call_id or no name", Scope.MODEL))
    arguments = arguments_of(item).strip() or "{}"
    try:
        _OBJECT.decode(arguments)
    except UNREADABLE:
        if stop is Stop.LENGTH:
            return []
        fault = malformed("a function call's arguments are no JSON object", Scope.MODEL)
        raise FaultError(fault) from None
    return [ToolUse(id=item.call_id, name=item.name, arguments=arguments)]


def _word(part: Text | Refusal) -> Json:
    return refusal_part(part.text) if isinstance(part, Refusal) else text_part(part.text)
