"""The core's turns as `input` items.

What changes on the way is noted by name:

- Outputs of functions come first in their turn, right behind the calls.
- An error of a function has no flag: its text begins with `Error: `.
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
from understudy.dialects.openai import Json, Notes
from understudy.dialects.responses.history import ADAPTED
from understudy.dialects.responses.ids import MAX_CALL_ID, short_call_id

__all__ = ["NAME", "render_input", "said_item"]

NAME = "responses"

_WORDS = (Text, Refusal)


def render_input(request: Request, notes: Notes) -> list[Json]:
    """The `input` array.

    Raises:
        InexpressibleError: a part that has no place where it stands.
    """
    for text in request.system:
        _note_cache(text, notes)
    items: list[Json] = []
    for position, message in enumerate(request.messages):
        path = f"messages[{position}].content"
        if message.role == "assistant":
            items += _assistant(message, path, notes)
        else:
            items += _user(message, path, notes)
    return items


def said_item(role: str, text: str) -> Json:
    """A message of plain text."""
    kind = "output_text" if role == "assistant" else "input_text"
    return _message(role, [{"type": kind, "text": text}])


def _message(role: str, content: list[Json]) -> Json:
    return {"type": "message", "role": role, "content": content}


def _assistant(message: Message, path: str, notes: Notes) -> list[Json]:
    items: list[Json] = []
    words: list[Json] = []
    for index, part in enumerate(message.parts):
        _note_cache(part, notes)
        match part:
            case Text():
                words.append({"type": "output_text", "text": part.text})
            case Refusal():
                words.append({"type": "refusal", "refusal": part.text})
            case ToolUse():
                if words:
                    items.append(_message("assistant", words))
                    words = []
                items.append(_call(part, notes))
            case Thinking():
                notes[ADAPTED] = None
            case _:
                raise InexpressibleError(f"{path}[{index}]", NAME)
    if words:
        items.append(_message("assistant", words))
    return items


def _call(use: ToolUse, notes: Notes) -> Json:
    return {
        "type": "function_call",
        "call_id": _call_id(use.id, notes),
        "name": use.name,
        "arguments": use.arguments,
    }


def _user(message: Message, path: str, notes: Notes) -> list[Json]:
    outputs: list[Json] = []
    content: list[Json] = []
    for index, part in enumerate(message.parts):
        _note_cache(part, notes)
        if isinstance(part, ToolResult):
            outputs.append(_output(part, f"{path}[{index}]", notes))
        else:
            content.append(_content(part, f"{path}[{index}]"))
    return [*outputs, _message("user", content)] if content else outputs


def _output(result: ToolResult, path: str, notes: Notes) -> Json:
    for part in result.content:
        _note_cache(part, notes)
    content = [_content(part, f"{path}.content[{i}]") for i, part in enumerate(result.content)]
    if result.is_error:
        notes["tool_result.is_error"] = None
        content.insert(0, {"type": "input_text", "text": "Error: "})
    plain = all(part["type"] == "input_text" for part in content)
    item: Json = {"type": "function_call_output", "call_id": _call_id(result.id, notes)}
    if plain:
        error = "Error: " if result.is_error else ""
        texts = [str(part["text"]) for part in content[bool(error) :]]
        item["output"] = error + "\n".join(texts)
    else:
        item["output"] = content
    return item


def _content(part: Part, path: str) -> Json:
    match part:
        case Text() | Refusal():
            return {"type": "input_text", "text": part.text}
        case Image():
            return _image(part)
        case Document():
            return _document(part)
        case _:
            raise InexpressibleError(path, NAME)


def _image(image: Image) -> Json:
    url = image.url or f"data:{image.media_type or 'image/png'};base64,{image.data or ''}"
    return {"type": "input_image", "image_url": url, "detail": image.detail or "auto"}


def _document(document: Document) -> Json:
    if document.text is not None:
        title = f"{document.title}\n\n" if document.title else ""
        return {"type": "input_text", "text": title + document.text}
    if document.url is not None:
        # A file by its URL has the name that the URL gives it.
        return {"type": "input_file", "file_url": document.url}
    media_type = document.media_type or "application/pdf"
    return {
        "type": "input_file",
        "filename": document.title or "document.pdf",
        "file_data": f"data:{media_type};base64,{document.data or ''}",
    }


def _call_id(call_id: str, notes: Notes) -> str:
    if len(call_id) > MAX_CALL_ID:
        notes["call_id"] = None
    return short_call_id(call_id)


def _note_cache(part: Part, notes: Notes) -> None:
    if getattr(part, "cache", None) is not None:
        notes["cache_control"] = None
