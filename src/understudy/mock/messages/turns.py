"""The conversation of a messages request: its turns, their blocks, their order."""

from __future__ import annotations

import base64
import re

from understudy.mock import models
from understudy.mock.ask import Image, Result, Turn
from understudy.mock.cursor import Cursor
from understudy.mock.ids import signature_fits
from understudy.mock.messages.style import refusal

__all__ = ["read_turns"]

_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_MEDIA = ("image/jpeg", "image/png", "image/gif", "image/webp")
_NO_PREFILL = (
    "This model does not support assistant message prefill. "
    "The conversation must end with a user message."
)


def read_turns(messages: list[Cursor], model: models.ClaudeModel) -> tuple[Turn, ...]:
    """The turns of a conversation that the API would take.

    Raises:
        RefusedError: it would not.
    """
    if not messages:
        raise refusal("messages: at least one message is required")
    turns = tuple(_turn(message, last=message is messages[-1]) for message in messages)
    _check_order(messages)
    _check_prefill(turns, model)
    return turns


def _turn(message: Cursor, *, last: bool) -> Turn:
    role = message.need("role").text()
    if role == "system":
        raise refusal(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` '
            'parameter, not "system" as an input message role.'
        )
    if role not in {"user", "assistant"}:
        raise message.need("role").refusal("Input should be 'user' or 'assistant'")
    content = message.need("content")
    blocks = [] if isinstance(content.value, str) else content.items()
    if not content.value and not (last and role == "assistant"):
        raise message.refusal(
            "all messages must have non-empty content except for the optional final assistant "
            "message"
        )
    texts = [content.value] if isinstance(content.value, str) else []
    images: list[Image] = []
    results: list[Result] = []
    called: list[str] = []
    for block in blocks:
        _block(block, role, texts, images, results, called)
    return Turn(
        role="assistant" if role == "assistant" else "user",
        text="\n\n".join(texts),
        images=tuple(images),
        results=tuple(results),
        called=tuple(called),
    )


def _block(
    block: Cursor,
    role: str,
    texts: list[str],
    images: list[Image],
    results: list[Result],
    called: list[str],
) -> None:
    match block.need("type").text():
        case "text":
            texts.append(_text(block))
        case "image":
            images.append(_image(block))
        case "document":
            texts.append(_document(block))
        case "tool_use":
            called.append(_tool_use(block, role))
        case "tool_result":
            results.append(_tool_result(block, role))
        case "thinking":
            _check_thinking(block)
        case "redacted_thinking" | "search_result" | "server_tool_use" | "container_upload":
            pass
        case kind if kind.endswith("_tool_result"):
            pass
        case kind:
            raise block.refusal(
                f"Input tag '{kind}' found using 'type' does not match any of the expected tags: "
                "'document', 'image', 'redacted_thinking', 'search_result', 'text', 'thinking', "
                "'tool_result', 'tool_use'"
            )


def _text(block: Cursor) -> str:
    text = block.need("text").text()
    if not text:
        raise refusal("messages: text content blocks must be non-empty")
    if text.isspace():
        raise refusal("messages: text content blocks must contain non-whitespace text")
    return text


def _image(block: Cursor) -> Image:
    source = block.need("source")
    match source.need("type").text():
        case "base64":
            media = source.need("media_type")
            if media.text() not in _MEDIA:
                raise media.refusal(
                    "Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
                )
            try:
                size = len(base64.b64decode(source.need("data").text(), validate=True))
            except ValueError:
                raise source.need("data").refusal("invalid base64 data") from None
            return Image(media.text(), size)
        case "url":
            source.need("url").text()
            return Image("an image", None)
        case "file":
            source.need("file_id").text()
            return Image("an image", None)
        case _:
            raise source.refusal("Input should be 'base64', 'file' or 'url'")


def _document(block: Cursor) -> str:
    source = block.need("source")
    if source.need("type").text() == "text":
        return source.need("data").text()
    title = block.at("title")
    return f"A document: {title.text()}." if title else "A document."


def _tool_use(block: Cursor, role: str) -> str:
    if role != "assistant":
        raise block.refusal("`tool_use` blocks can only be in `assistant` messages")
    _check_id(block.need("id"))
    block.need("input").fields()
    return block.need("name").text()


def _tool_result(block: Cursor, role: str) -> Result:
    if role != "user":
        raise block.refusal("`tool_result` blocks can only be in `user` messages")
    identifier, content, error = (
        block.need("tool_use_id"),
        block.at("content"),
        block.at("is_error"),
    )
    _check_id(identifier)
    text = ""
    if content is not None:
        text = content.value if isinstance(content.value, str) else _result_text(content)
    return Result(identifier.text(), text, error.boolean() if error else False)


def _result_text(content: Cursor) -> str:
    told = []
    for block in content.items():
        kind = block.need("type").text()
        if kind == "text":
            told.append(block.need("text").text())
        elif kind == "image":
            image = _image(block)
            told.append(f"an image ({image.media_type})")
    return "\n".join(told)


def _check_id(field: Cursor) -> None:
    if not _TOOL_ID.fullmatch(field.text()):
        raise field.refusal("String should match pattern '^[a-zA-Z0-9_-]+$'")


def _check_thinking(block: Cursor) -> None:
    signature = block.need("signature").text()
    if not signature_fits(signature, block.need("thinking").text()):
        raise block.refusal("Invalid `signature` in `thinking` block")


# -- the order of turns


def _check_order(messages: list[Cursor]) -> None:
    """Turns of one role in a row count as one; each tool call is answered in the very next turn."""
    if messages[0].need("role").text() != "user":
        raise refusal('messages: first message must use the "user" role')
    open_calls: dict[str, int] = {}
    role = ""
    for index, message in enumerate(messages):
        if message.need("role").text() != role:
            role = message.need("role").text()
            if role == "assistant":
                _check_answered(open_calls)
                open_calls = {}
            offered = set(open_calls)
        content = message.need("content")
        for block in content.items() if isinstance(content.value, list) else []:
            match block.need("type").text():
                case "tool_use":
                    open_calls[block.need("id").text()] = index
                case "tool_result":
                    _check_expected(block, offered)
                    open_calls.pop(block.need("tool_use_id").text(), None)
    _check_answered(open_calls)


def _check_expected(block: Cursor, offered: set[str]) -> None:
    identifier = block.need("tool_use_id").text()
    if identifier not in offered:
        raise block.refusal(
            f"unexpected `tool_use_id` found in `tool_result` blocks: {identifier}. Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous "
            "message."
        )


def _check_answered(open_calls: dict[str, int]) -> None:
    if open_calls:
        raise refusal(
            f"messages.{min(open_calls.values())}: `tool_use` ids were found without `tool_result` "
            f"blocks immediately after: {', '.join(open_calls)}. Each `tool_use` block must have a "
            "corresponding `tool_result` block in the next message."
        )


def _check_prefill(turns: tuple[Turn, ...], model: models.ClaudeModel) -> None:
    if turns[-1].role != "assistant":
        return
    if not model.prefill:
        raise refusal(_NO_PREFILL)
    if turns[-1].text != turns[-1].text.rstrip():
        raise refusal("messages: final assistant content cannot end with trailing whitespace")
