"""A caller's `input` as a system prompt and turns that alternate.

What the core has no place for is folded in, never lost:

- `instructions`, and system and developer messages at the head, are the system prompt. A later one
  becomes text of the user's, between `<system>` tags, where it stood; so does the last one where
  there is nothing else.
- Neighbouring items of one side become one turn: what the model said, thought and called is the
  assistant's, messages and outputs of functions are the user's.
- Reasoning keeps its summary and loses its encrypted form, which no other vendor can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from understudy.core.conversation import (
    BadRequestError,
    Document,
    Image,
    InexpressibleError,
    Message,
    Part,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from understudy.dialects.fields import decode_body, known_here_only
from understudy.dialects.responses.parts import read_part
from understudy.dialects.responses.shapes import (
    AssistantMessage,
    CallItem,
    CallOutputItem,
    ContentPart,
    InputMessage,
    ItemKind,
    ReasoningItem,
)

__all__ = ["read_input"]

_KIND = msgspec.json.Decoder(ItemKind)
_MESSAGE = msgspec.json.Decoder(InputMessage)
_ASSISTANT = msgspec.json.Decoder(AssistantMessage)
_CALL = msgspec.json.Decoder(CallItem)
_OUTPUT = msgspec.json.Decoder(CallOutputItem)
_REASONING = msgspec.json.Decoder(ReasoningItem)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

_SYSTEM = frozenset({"system", "developer"})

#: (whose it is, its parts)
_Said = tuple[Literal["system", "user", "assistant"], list[Part]]


def read_input(
    wanted: str | Sequence[msgspec.Raw], instructions: str | None
) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """The system prompt and the turns.

    Raises:
        BadRequestError: an item is wrong, or none holds anything.
        InexpressibleError: an item that no other dialect has words for.
    """
    system = [Text(text=instructions)] if instructions else []
    if isinstance(wanted, str):
        said: list[_Said] = [("user", [Text(text=wanted)] if wanted else [])]
    else:
        said = [_item(raw, f"input[{position}]") for position, raw in enumerate(wanted)]
    head = 0
    while head < len(said) - 1 and said[head][0] == "system":
        system += [part for part in said[head][1] if isinstance(part, Text)]
        head += 1
    turns: list[Message] = []
    for side, parts in said[head:]:
        if side == "system":
            _add(turns, "user", _folded(parts))
        else:
            _add(turns, side, parts)
    if not turns:
        raise BadRequestError("input", "Expected at least one item with content")
    return tuple(system), tuple(turns)


def _add(turns: list[Message], role: Literal["user", "assistant"], parts: list[Part]) -> None:
    if not parts:
        return
    if turns and turns[-1].role == role:
        turns[-1] = Message(role=role, parts=(*turns[-1].parts, *parts))
    else:
        turns.append(Message(role=role, parts=tuple(parts)))


def _folded(parts: list[Part]) -> list[Part]:
    texts = "\n\n".join(part.text for part in parts if isinstance(part, Text))
    return [Text(text=f"<system>\n{texts}\n</system>")] if texts else []


def _item(raw: msgspec.Raw, path: str) -> _Said:
    kind = decode_body(_KIND, raw, path)
    match kind.type:
        case "function_call":
            return "assistant", [_call(raw, path)]
        case "function_call_output":
            return "user", [_output(raw, path)]
        case "reasoning":
            return "assistant", _reasoning(raw, path)
        case "message" | None if kind.role is not None:
            return _message(raw, kind.role, path)
        case "message":
            raise BadRequestError(f"{path}.role", "Field required")
        case None | "item_reference":
            raise known_here_only(path, "a reference to what one provider keeps")
        case _:
            raise known_here_only(path, f"the type {kind.type!r}")


def _message(raw: msgspec.Raw, role: str, path: str) -> _Said:
    if role == "assistant":
        return "assistant", _content(decode_body(_ASSISTANT, raw, path).content, path)
    if role == "user":
        return "user", _content(decode_body(_MESSAGE, raw, path).content, path)
    if role not in _SYSTEM:
        expected = "Expected `user`, `assistant`, `system` or `developer`"
        raise BadRequestError(f"{path}.role", expected)
    parts = _content(decode_body(_MESSAGE, raw, path).content, path)
    for index, part in enumerate(parts):
        if not isinstance(part, Text):
            raise InexpressibleError(
                f"{path}.content[{index}]", "core", f"{path}: instructions hold more than text"
            )
    return "system", parts


def _content(content: str | list[ContentPart], path: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    read = (read_part(part, f"{path}.content[{i}]") for i, part in enumerate(content))
    return [part for part in read if part is not None]


def _call(raw: msgspec.Raw, path: str) -> ToolUse:
    call = decode_body(_CALL, raw, path)
    if call.namespace:
        raise known_here_only(f"{path}.namespace")
    # Many clients send an empty string for a call without arguments.
    arguments = call.arguments.strip() or "{}"
    at = f"{path}.arguments"
    try:
        decode_body(_OBJECT, arguments.encode(), at)
    except BadRequestError:
        raise BadRequestError(at, "Expected the JSON text of an object") from None
    return ToolUse(id=call.call_id, name=call.name, arguments=arguments)


def _output(raw: msgspec.Raw, path: str) -> ToolResult:
    item = decode_body(_OUTPUT, raw, path)
    if item.namespace:
        raise known_here_only(f"{path}.namespace")
    content: list[Text | Image | Document] = []
    if isinstance(item.output, str):
        content += [Text(text=item.output)] if item.output else []
    else:
        for index, part in enumerate(item.output):
            read = read_part(part, f"{path}.output[{index}]")
            if isinstance(read, (Text, Image, Document)):
                content.append(read)
    return ToolResult(id=item.call_id, content=tuple(content))


def _reasoning(raw: msgspec.Raw, path: str) -> list[Part]:
    item = decode_body(_REASONING, raw, path)
    text = "\n\n".join(section.text for section in item.summary or item.content or ())
    return [Thinking(text=text)] if text else []
