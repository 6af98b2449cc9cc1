"""Core's turns as `messages`: alternating roles, results after their calls, nothing empty.

What the API rejects and no one would miss is put right without a note: text blocks that are empty
or white space ("text content blocks must be non-empty"), two turns of one role in a row, results
that stand after text. An assistant turn at the head is accepted by the API and stays.
"""

from __future__ import annotations

from hashlib import blake2s

import msgspec

from understudy.core.conversation import (
    Document,
    Image,
    InexpressibleError,
    Message,
    Refusal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
)
from understudy.dialects.messages.history import ADAPTED

__all__ = ["Turns", "json_object", "text_of", "valid_id"]

Block = dict[str, object]

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")

# Tuples: `A | B` would make a new union at each test.
_WORDS = (Text, Refusal)
_FILES = (Image, Document)


class Turns:
    """Collects turns. `blocks` are the turns so far, `noted` the names of what was left out."""

    def __init__(self, messages: tuple[Message, ...]) -> None:
        self.noted: list[str] = []
        self.turns: list[tuple[str, list[Block]]] = []
        for index, message in enumerate(messages):
            blocks: list[Block] = []
            for position, part in enumerate(message.parts):
                if isinstance(part, _WORDS):
                    blocks += text_of(part)
                else:
                    blocks += self._render(part, f"messages[{index}].content[{position}]")
            if not blocks:
                continue
            if self.turns and self.turns[-1][0] == message.role:
                self.turns[-1][1].extend(blocks)
            else:
                self.turns.append((message.role, blocks))

    @property
    def ends_with_assistant(self) -> bool:
        """The last turn is the assistant's."""
        return bool(self.turns) and self.turns[-1][0] == "assistant"

    @property
    def resumes_unsigned_tools(self) -> bool:
        """The last assistant turn called tools and its thoughts are not there.

        With `thinking: enabled` the API then refuses ("a final assistant message must start with
        a thinking block").
        """
        calls = [blocks for role, blocks in self.turns if role == "assistant"][-1:]
        return any(
            any(block["type"] == "tool_use" for block in blocks)
            and blocks[0]["type"] not in {"thinking", "redacted_thinking"}
            for blocks in calls
        )

    def tool_names(self) -> list[str]:
        """The names of the tools that were called, each once, in order."""
        names = (
            str(block["name"])
            for _, blocks in self.turns
            for block in blocks
            if block["type"] == "tool_use"
        )
        return list(dict.fromkeys(names))

    def has_tools(self) -> bool:
        """Calls or results stand in the conversation."""
        return any(
            block["type"] in {"tool_use", "tool_result"}
            for _, blocks in self.turns
            for block in blocks
        )

    def strip_end(self) -> None:
        """Trailing white space of a prefill is refused, so it goes."""
        blocks = self.turns[-1][1]
        last = blocks[-1]
        if last["type"] == "text":
            last["text"] = str(last["text"]).rstrip()

    def ask(self, text: str) -> None:
        """Add a user's turn."""
        self.turns.append(("user", [{"type": "text", "text": text}]))

    def wire(self) -> list[dict[str, object]]:
        """The turns as they are sent: results come first in theirs."""
        return [{"role": role, "content": _results_first(blocks)} for role, blocks in self.turns]

    def last_text(self) -> str:
        """The text of the last turn."""
        return "".join(str(block["text"]) for block in self.turns[-1][1] if block["type"] == "text")

    def _render(
        self, part: Image | Document | Thinking | ToolUse | ToolResult, at: str
    ) -> list[Block]:
        if isinstance(part, _FILES):
            return [self._source(part, at)]
        if isinstance(part, Thinking):
            return self._thinking(part)
        if isinstance(part, ToolUse):
            block: Block = {
                "type": "tool_use",
                "id": valid_id(part.id),
                "name": part.name,
                "input": json_object(part.arguments, at),
            }
            return [_cached(block, part.cache)]
        return [self._result(part, at)]

    def _thinking(self, part: Thinking) -> list[Block]:
        if part.redacted is not None:
            return [{"type": "redacted_thinking", "data": part.redacted}]
        if not part.signature:
            self._note(ADAPTED)
            return []
        return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]

    def _result(self, part: ToolResult, at: str) -> Block:
        content: list[Block] = []
        for index, inner in enumerate(part.content):
            if isinstance(inner, Text):
                content.extend(text_of(inner))
            else:
                content.append(self._source(inner, f"{at}.content[{index}]"))
        block: Block = {"type": "tool_result", "tool_use_id": valid_id(part.id)}
        if content:
            block["content"] = content
        if part.is_error:
            block["is_error"] = True
        return _cached(block, part.cache)

    def _source(self, part: Image | Document, at: str) -> Block:
        if part.url is not None:
            source: Block = {"type": "url", "url": part.url}
        elif isinstance(part, Document) and part.text is not None:
            source = {"type": "text", "media_type": "text/plain", "data": part.text}
        elif part.data is not None and part.media_type:
            source = {"type": "base64", "media_type": part.media_type, "data": part.data}
        else:
            what = f"{at}: data without a media type cannot be sent in the messages dialect"
            raise InexpressibleError(at, "messages", what)
        if isinstance(part, Image):
            if part.detail not in {None, "auto"}:
                self._note("detail")
            return _cached({"type": "image", "source": source}, part.cache)
        block: Block = {"type": "document", "source": source}
        if part.title:
            block["title"] = part.title
        return _cached(block, part.cache)

    def _note(self, name: str) -> None:
        if name not in self.noted:
            self.noted.append(name)


def _results_first(blocks: list[Block]) -> list[Block]:
    if len(blocks) == 1:
        return blocks
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")


def text_of(part: Text | Refusal) -> list[Block]:
    """A text block; none for text that the API would refuse as empty."""
    if not part.text.strip():
        return []
    cache = part.cache if isinstance(part, Text) else None
    return [_cached({"type": "text", "text": part.text}, cache)]


def valid_id(tool_id: str) -> str:
    """A tool's id as the API takes it, `^[a-zA-Z0-9_-]+$`: the same for the same id, always.

    A changed id carries a digest of the old one, so that two ids stay two.
    """
    if tool_id and _ID_CHARACTERS.issuperset(tool_id):
        return tool_id
    kept = "".join(letter if letter in _ID_CHARACTERS else "_" for letter in tool_id)
    return f"{kept or 'toolu'}_{blake2s(tool_id.encode(), digest_size=4).hexdigest()}"


def json_object(text: str, at: str) -> msgspec.Raw:
    """The JSON text of an object, to be put in place as it is.

    Raises:
        InexpressibleError: it is something else; this dialect takes objects only.
    """
    encoded = text.encode()
    try:
        _OBJECT.decode(encoded)
    except (msgspec.DecodeError, ValueError, RecursionError):
        what = f"{at}: the arguments of a tool call must be a JSON object in the messages dialect"
        raise InexpressibleError(at, "messages", what) from None
    return msgspec.Raw(encoded)


def _cached(block: Block, cache: msgspec.Raw | None) -> Block:
    if cache is not None:
        block["cache_control"] = cache
    return block
