"""A caller's `messages` as a system prompt and turns that alternate.

What the core has no place for is folded in, never lost:

- System and developer messages at the head are the system prompt. A later one becomes text of the
  user's, between `<system>` tags, where it stood; so does the last one where there is nothing else.
- Neighbouring turns of one role become one; tool results join the user's turn that follows.
- The `name` of a user or system message goes before its text (`alice: …`). An assistant's own name
  is left out: a model that read it at the head of its turns would begin each new one with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.core.conversation import (
    BadRequestError,
    Document,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from understudy.dialects.chat_completions.shapes import (
    AssistantMessage,
    AudioPart,
    ChatMessage,
    DeveloperMessage,
    FilePart,
    FunctionMessage,
    ImagePart,
    RefusalPart,
    RequestToolCall,
    SystemMessage,
    TextPart,
    ToolMessage,
    UserMessage,
)
from understudy.dialects.fields import decode_body, known_here_only
from understudy.dialects.media import breakpoint_cache, read_document, read_image

__all__ = ["cache_of", "read_messages"]

# Tuples: `A | B` would make a new union at each test.
_SYSTEM = (SystemMessage, DeveloperMessage)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_messages(
    messages: Sequence[ChatMessage],
) -> tuple[tuple[Text, ...], tuple[Message, ...]]:
    """The system prompt and the turns.

    Raises:
        BadRequestError: a part is wrong, or no message holds anything.
        InexpressibleError: a part that no other dialect has words for.
    """
    head = 0
    while head < len(messages) - 1 and isinstance(messages[head], _SYSTEM):
        head += 1
    system = tuple(
        text for message in messages[:head] for text in _instructions(message) if text.text
    )
    turns: list[Message] = []
    for position in range(head, len(messages)):
        turn = _turn(messages[position], f"messages[{position}]")
        if not turn.parts:
            continue
        if turns and turns[-1].role == turn.role:
            turns[-1] = Message(role=turn.role, parts=turns[-1].parts + turn.parts)
        else:
            turns.append(turn)
    if not turns:
        raise BadRequestError("messages", "Expected at least one message with content")
    return system, tuple(turns)


def cache_of(part: TextPart | ImagePart | FilePart) -> msgspec.Raw | None:
    """A part's cache mark as Anthropic's `cache_control`, which means the same."""
    if bytes(part.cache_control) not in {b"", b"null"}:
        return part.cache_control
    mark = part.prompt_cache_breakpoint
    if mark is None:
        return None
    return breakpoint_cache(mark.ttl)


def _turn(message: ChatMessage, path: str) -> Message:
    match message:
        case UserMessage():
            return Message(role="user", parts=tuple(_named(message.name, _user(message, path))))
        case AssistantMessage():
            return Message(role="assistant", parts=tuple(_assistant(message, path)))
        case ToolMessage():
            return Message(role="user", parts=(_tool_result(message, path),))
        case FunctionMessage():
            raise known_here_only(f"{path}.role", "the deprecated role 'function'")
        case _:
            texts = "\n\n".join(text.text for text in _instructions(message) if text.text)
            folded = (Text(text=f"<system>\n{texts}\n</system>"),) if texts else ()
            return Message(role="user", parts=folded)


def _instructions(message: ChatMessage) -> list[Text]:
    if not isinstance(message, _SYSTEM):
        return []
    texts = _texts(message.content)
    named = _named(message.name, texts)
    return [part for part in named if isinstance(part, Text)]


def _texts(content: str | list[TextPart]) -> list[Part]:
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    return [Text(text=part.text, cache=cache_of(part)) for part in content if part.text]


def _named(name: str | None, parts: list[Part]) -> list[Part]:
    if not name or not parts:
        return parts
    first = parts[0]
    if isinstance(first, Text):
        return [Text(text=f"{name}: {first.text}", cache=first.cache), *parts[1:]]
    return [Text(text=f"{name}:"), *parts]


def _user(message: UserMessage, path: str) -> list[Part]:
    if isinstance(message.content, str):
        return [Text(text=message.content)] if message.content else []
    parts: list[Part] = []
    for index, part in enumerate(message.content):
        at = f"{path}.content[{index}]"
        match part:
            case TextPart():
                if part.text:
                    parts.append(Text(text=part.text, cache=cache_of(part)))
            case ImagePart():
                parts.append(_image(part, at))
            case FilePart():
                parts.append(_document(part, at))
            case AudioPart():
                raise known_here_only(f"{at}.input_audio")
    return parts


def _image(part: ImagePart, path: str) -> Image:
    image = part.image_url
    return read_image(image.url, image.detail, cache_of(part), f"{path}.image_url.url")


def _document(part: FilePart, path: str) -> Document:
    file = part.file
    if file.file_id:
        raise known_here_only(f"{path}.file.file_id", "a file uploaded to one provider")
    return read_document(file.file_data, file.filename, cache_of(part), f"{path}.file.file_data")


def _assistant(message: AssistantMessage, path: str) -> list[Part]:
    if message.function_call is not None:
        raise known_here_only(f"{path}.function_call", "the deprecated form of tool_calls")
    if message.audio is not None:
        raise known_here_only(f"{path}.audio")
    parts: list[Part] = []
    reasoning = message.reasoning_content or message.reasoning
    if isinstance(reasoning, str) and reasoning:
        parts.append(Thinking(text=reasoning))
    if isinstance(message.content, str):
        parts += _texts(message.content)
    else:
        for part in message.content or ():
            if isinstance(part, RefusalPart):
                parts.append(Refusal(text=part.refusal))
            else:
                parts += _texts([part])
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    for index, call in enumerate(message.tool_calls or ()):
        parts.append(_tool_use(call, f"{path}.tool_calls[{index}]"))
    return parts


def _tool_use(call: RequestToolCall, path: str) -> ToolUse:
    if call.type != "function":
        raise known_here_only(path, f"the type {call.type!r}")
    if call.function is None:
        raise BadRequestError(f"{path}.function", "Field required")
    at = f"{path}.function.arguments"
    # Many clients send an empty string for a call without arguments.
    arguments = call.function.arguments.strip() or "{}"
    try:
        decode_body(_OBJECT, arguments.encode(), at)
    except BadRequestError:
        raise BadRequestError(at, "Expected the JSON text of an object") from None
    return ToolUse(id=call.id, name=call.function.name, arguments=arguments)


def _tool_result(message: ToolMessage, path: str) -> ToolResult:
    content: list[Text | Image | Document] = []
    if isinstance(message.content, str):
        if message.content:
            content.append(Text(text=message.content))
    else:
        for index, part in enumerate(message.content):
            if isinstance(part, ImagePart):
                content.append(_image(part, f"{path}.content[{index}]"))
            elif part.text:
                content.append(Text(text=part.text, cache=cache_of(part)))
    return ToolResult(id=message.tool_call_id, content=tuple(content))
