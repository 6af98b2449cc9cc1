"""The core's system prompt and turns as `messages`.

What changes on the way is noted by name:

- Tool results become `tool` messages right behind the calls; the rest of the user's turn follows.
  They take only text, so an image or a PDF from a tool goes into that following user message.
- An error of a tool has no flag: its text begins with `Error: `.
- Thinking stays behind: signatures bind it to the model that wrote it.
"""

from __future__ import annotations

from understudy.core.conversation import (
    Document,
    Image,
    InexpressibleError,
    Message,
    Part,
    Refusal,
    Request,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from understudy.dialects.chat_completions.ids import MAX_TOOL_ID, short_tool_id
from understudy.dialects.openai import Json, Notes

__all__ = ["render_messages"]

_NAME = "chat_completions"


def render_messages(request: Request, notes: Notes) -> list[Json]:
    """The `messages` array.

    Raises:
        InexpressibleError: a document by URL, or of a kind that the dialect does not take.
    """
    rendered: list[Json] = []
    for text in request.system:
        _note_cache(text, notes)
    if request.system:
        content = "\n\n".join(text.text for text in request.system)
        rendered.append({"role": "system", "content": content})
    for position, message in enumerate(request.messages):
        path = f"messages[{position}]"
        if message.role == "assistant":
            rendered += _assistant(message, path, notes)
        else:
            rendered += _user(message, path, notes)
    return rendered


def _assistant(message: Message, path: str, notes: Notes) -> list[Json]:
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[Json] = []
    for index, part in enumerate(message.parts):
        match part:
            case Text():
                texts.append(part.text)
            case Refusal():
                refusals.append(part.text)
            case ToolUse():
                calls.append(_call(part, notes))
            case Thinking():
                notes["thinking"] = None
                continue
            case _:
                raise InexpressibleError(f"{path}.content[{index}]", _NAME)
        _note_cache(part, notes)
    if not (texts or refusals or calls):
        return []
    rendered: Json = {"role": "assistant", "content": "".join(texts) if texts else None}
    if refusals:
        rendered["refusal"] = "".join(refusals)
    if calls:
        rendered["tool_calls"] = calls
    return [rendered]


def _call(use: ToolUse, notes: Notes) -> Json:
    return {
        "id": _tool_id(use.id, notes),
        "type": "function",
        "function": {"name": use.name, "arguments": use.arguments},
    }


def _user(message: Message, path: str, notes: Notes) -> list[Json]:
    results: list[Json] = []
    content: list[Json] = []
    for index, part in enumerate(message.parts):
        _note_cache(part, notes)
        if isinstance(part, ToolResult):
            text, rest = _result(part, f"{path}.content[{index}]", notes)
            tool_id = _tool_id(part.id, notes)
            results.append({"role": "tool", "tool_call_id": tool_id, "content": text})
            content += rest
        else:
            content.append(_content(part, f"{path}.content[{index}]", notes))
    if not content:
        return results
    only = content[0]
    if len(content) == 1 and only["type"] == "text":
        return [*results, {"role": "user", "content": only["text"]}]
    return [*results, {"role": "user", "content": content}]


def _result(result: ToolResult, path: str, notes: Notes) -> tuple[str, list[Json]]:
    """A tool message's text, and what must go into the user message behind it."""
    texts: list[str] = []
    rest: list[Json] = []
    for index, part in enumerate(result.content):
        _note_cache(part, notes)
        rendered = _content(part, f"{path}.content[{index}]", notes)
        if rendered["type"] == "text":
            texts.append(str(rendered["text"]))
        else:
            rest.append(rendered)
    if rest:
        notes["tool_result.content"] = None
        texts.append("(What the tool returned besides is in the next user message.)")
        rest.insert(0, _text(f"Returned by the tool call {short_tool_id(result.id)}:"))
    text = "\n".join(texts)
    if result.is_error:
        notes["tool_result.is_error"] = None
        text = f"Error: {text}"
    return text, rest


def _content(part: Part, path: str, notes: Notes) -> Json:
    match part:
        case Text():
            return _text(part.text)
        case Image():
            return _image(part)
        case Document():
            return _document(part, path)
        case Refusal():
            return _text(part.text)
        case _:
            raise InexpressibleError(path, _NAME)


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _image(image: Image) -> Json:
    url = image.url or f"data:{image.media_type or 'image/png'};base64,{image.data or ''}"
    address: Json = {"url": url}
    if image.detail is not None:
        address["detail"] = image.detail
    return {"type": "image_url", "image_url": address}


def _document(document: Document, path: str) -> Json:
    if document.text is not None:
        title = f"{document.title}\n\n" if document.title else ""
        return _text(title + document.text)
    if document.data is None:
        raise InexpressibleError(f"{path}.source.url", _NAME)
    media_type = document.media_type or "application/pdf"
    if media_type != "application/pdf":
        raise InexpressibleError(f"{path}.source.media_type", _NAME)
    return {
        "type": "file",
        "file": {
            "filename": document.title or "document.pdf",
            "file_data": f"data:{media_type};base64,{document.data}",
        },
    }


def _tool_id(tool_id: str, notes: Notes) -> str:
    if len(tool_id) > MAX_TOOL_ID:
        notes["tool_call_id"] = None
    return short_tool_id(tool_id)


def _note_cache(part: Part, notes: Notes) -> None:
    if getattr(part, "cache", None) is not None:
        notes["cache_control"] = None
