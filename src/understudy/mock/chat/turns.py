"""The conversation of a chat completions request: its messages and their order."""

from __future__ import annotations

from understudy.mock.ask import Image, Result, Turn
from understudy.mock.cursor import Cursor
from understudy.mock.openai import checks
from understudy.mock.openai.style import refusal

__all__ = ["read_turns"]

_ROLES = ("system", "assistant", "user", "function", "tool", "developer")
_MAX_ID = 40


def read_turns(messages: list[Cursor]) -> tuple[str, tuple[Turn, ...]]:
    """The system's words and the turns of a conversation that the API would take.

    Raises:
        RefusedError: it would not.
    """
    if not messages:
        raise refusal(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an "
            "empty array instead.",
            "messages",
            "empty_array",
        )
    told = _conversation(messages)
    _check_order(messages)
    return told


def _conversation(messages: list[Cursor]) -> tuple[str, tuple[Turn, ...]]:
    system: list[str] = []
    turns: list[Turn] = []
    for message in messages:
        role = message.need("role")
        match role.text():
            case "system" | "developer":
                system.append(_content(message)[0])
            case "user":
                text, images = _content(message)
                turns.append(Turn(role="user", text=text, images=images))
            case "assistant":
                turns.append(_assistant(message))
            case "tool" | "function":
                _append_result(turns, message)
            case other:
                supported = ", ".join(f"'{known}'" for known in _ROLES[:-1])
                raise role.refusal(
                    f"Invalid value: '{other}'. Supported values are: {supported}, and "
                    f"'{_ROLES[-1]}'."
                )
    return "\n\n".join(system), tuple(turns)


def _append_result(turns: list[Turn], message: Cursor) -> None:
    """Results of one turn's calls come as messages of their own; together they are a turn."""
    identifier = message.at("tool_call_id")
    result = Result(identifier.text() if identifier else "", _content(message)[0])
    if turns and turns[-1].role == "user" and turns[-1].results:
        turns[-1] = Turn(role="user", results=(*turns[-1].results, result))
    else:
        turns.append(Turn(role="user", results=(result,)))


def _content(message: Cursor) -> tuple[str, tuple[Image, ...]]:
    field = message.at("content")
    if field is None:
        raise refusal(
            f"Invalid value for 'content': expected a string, got null. ({message.path}.content)",
            f"{message.path}.content",
        )
    if isinstance(field.value, str):
        return field.value, ()
    texts: list[str] = []
    images: list[Image] = []
    for part in field.items():
        match part.need("type").text():
            case "text":
                texts.append(part.need("text").text())
            case "refusal":
                texts.append(part.need("refusal").text())
            case "image_url":
                images.append(checks.image(part.need("image_url").need("url")))
            case "file" | "input_audio":
                texts.append("A file.")
            case kind:
                raise part.need("type").refusal(
                    f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url', "
                    "'input_audio', 'refusal', and 'file'."
                )
    return "\n\n".join(texts), tuple(images)


def _assistant(message: Cursor) -> Turn:
    content, calls = message.at("content"), message.at("tool_calls")
    called = []
    for call in calls.items() if calls else []:
        _check_id(call.need("id"))
        function = call.need("function")
        function.need("arguments").text()
        called.append(function.need("name").text())
    text = _content(message)[0] if content or not called else ""
    return Turn(role="assistant", text=text, called=tuple(called))


def _check_id(field: Cursor) -> None:
    size = len(field.text())
    if size > _MAX_ID:
        raise refusal(
            f"Invalid '{field.path}': string too long. Expected a string with maximum length "
            f"{_MAX_ID}, but got a string with length {size} instead.",
            field.path,
            "string_above_max_length",
        )


def _check_order(messages: list[Cursor]) -> None:
    """Each tool call is answered by a tool message before any other message comes."""
    waiting: dict[str, None] = {}
    answering = False
    for message in messages:
        role = message.need("role").text()
        if role == "tool":
            identifier = message.need("tool_call_id").text()
            if not answering:
                raise refusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'.",
                    f"{message.path}.role".replace("messages[", "messages.["),
                )
            if identifier not in waiting:
                raise refusal(
                    f"Invalid parameter: 'tool_call_id' of '{identifier}' not found in "
                    "'tool_calls' of previous message.",
                    f"{message.path}.tool_call_id".replace("messages[", "messages.["),
                )
            del waiting[identifier]
            continue
        _check_answered(waiting, message.path)
        calls = message.at("tool_calls") if role == "assistant" else None
        waiting = {c.need("id").text(): None for c in calls.items()} if calls else {}
        answering = bool(waiting)
    _check_answered(waiting, f"messages[{len(messages)}]")


def _check_answered(waiting: dict[str, None], path: str) -> None:
    if waiting:
        raise refusal(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(waiting)}",
            f"{path}.role".replace("messages[", "messages.["),
        )
