"""The conversation of a Responses request: its input items and what belongs together in them."""

from __future__ import annotations

import msgspec

from understudy.mock import models
from understudy.mock.ask import Image, Result, Turn
from understudy.mock.cursor import Cursor
from understudy.mock.errors import ErrorSpec, RefusedError
from understudy.mock.ids import signature_fits
from understudy.mock.openai import checks
from understudy.mock.openai.style import refusal
from understudy.mock.responses.options import listed

__all__ = ["read_input"]

_ROLES = ("assistant", "system", "developer", "user")
_PARTS = (
    "input_text", "input_image", "output_text", "refusal", "input_file", "computer_screenshot",
    "summary_text",
)  # fmt: skip
#: Members that an item of each type may have.
_MEMBERS = {
    "message": {"type", "role", "content", "id", "status", "phase"},
    "function_call": {
        "type", "id", "call_id", "name", "arguments", "status", "namespace", "caller", "async",
    },
    "function_call_output": {"type", "id", "call_id", "output", "status", "name", "caller"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content", "status"},
}  # fmt: skip
#: Items of tools that run at the vendor's; the stand-in lets them pass and minds none.
_OTHERS = frozenset(
    """
    additional_tools apply_patch_call apply_patch_call_output code_interpreter_call compaction
    compaction_trigger computer_call computer_call_output configuration_update custom_tool_call
    custom_tool_call_output file_search_call image_generation_call local_shell_call
    local_shell_call_output mcp_approval_request mcp_approval_response mcp_call mcp_list_tools
    program program_output shell_call shell_call_output tool_search_call tool_search_output
    web_search_call
    """.split()  # noqa: SIM905 - reads better than a column of strings
)


def read_input(root: Cursor, model: models.OpenAIModel) -> tuple[str, tuple[Turn, ...]]:
    """The system's words and the turns of a conversation that the API would take.

    Raises:
        RefusedError: it would not.
    """
    field = root.at("input")
    told = root.at("instructions")
    system = [told.text()] if told and isinstance(told.value, str) else []
    if field is None:
        if any(root.at(name) for name in ("previous_response_id", "prompt", "conversation")):
            return "\n\n".join(system), ()  # Refused later, as what it refers to is not there.
        raise refusal(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be "
            "provided.",
            None,
            "missing_required_parameter",
        )
    if isinstance(field.value, str):
        return "\n\n".join(system), (Turn(role="user", text=field.value),)
    if not isinstance(field.value, list):
        raise refusal(
            "Invalid type for 'input': expected one of a string or array of input items, but got "
            f"{field.described} instead.",
            "input",
            "invalid_type",
        )
    items = field.items()
    turns = _turns(items, system, model)
    _check_calls(items)
    return "\n\n".join(system), turns


def _turns(items: list[Cursor], system: list[str], model: models.OpenAIModel) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for item in items:
        kind = _kind(item)
        if model.strict:
            _check_members(item, kind)
        match kind:
            case "message":
                _append_message(item, system, turns)
            case "function_call":
                item.need("arguments").text()
                _append_call(turns, item.need("name").text())
            case "function_call_output":
                _append_result(turns, item)
            case "reasoning":
                _check_reasoning(item, model)
            case "item_reference":
                raise _not_kept(item.need("id").text())
            case other if other not in _OTHERS:
                known = tuple(sorted({*_OTHERS, *_MEMBERS, "item_reference"}))
                raise item.need("type").refusal(
                    f"Invalid value: '{other}'. Supported values are: {listed(known)}."
                )
    return tuple(turns)


def _kind(item: Cursor) -> str:
    kind = item.at("type")
    if kind is None:
        return "message" if item.at("role") else item.need("type").text()
    return kind.text()


def _check_members(item: Cursor, kind: str) -> None:
    known = _MEMBERS.get(kind)
    for name in item.fields():
        if known is not None and name not in known:
            path = f"{item.path}.{name}"
            raise refusal(f"Unknown parameter: '{path}'.", path, "unknown_parameter")


def _append_message(item: Cursor, system: list[str], turns: list[Turn]) -> None:
    role = item.need("role")
    text, images = _content(item, role.text())
    match role.text():
        case "system" | "developer":
            system.append(text)
        case "user":
            turns.append(Turn(role="user", text=text, images=images))
        case "assistant":
            turns.append(Turn(role="assistant", text=text))
        case other:
            raise role.refusal(f"Invalid value: '{other}'. Supported values are: {listed(_ROLES)}.")


def _content(item: Cursor, role: str) -> tuple[str, tuple[Image, ...]]:
    field = item.need("content")
    if isinstance(field.value, str):
        return field.value, ()
    texts: list[str] = []
    images: list[Image] = []
    allowed = ("output_text", "refusal") if role == "assistant" else _PARTS
    for part in field.items():
        kind = part.need("type")
        if kind.text() not in allowed:
            raise kind.refusal(
                f"Invalid value: '{kind.value}'. Supported values are: {listed(allowed)}."
            )
        match kind.text():
            case "input_text" | "output_text" | "summary_text":
                texts.append(part.need("text").text())
            case "refusal":
                texts.append(part.need("refusal").text())
            case "input_image":
                url = part.at("image_url")
                images.append(checks.image(url) if url else Image("an image", None))
            case _:
                texts.append("A file.")
    return "\n\n".join(texts), tuple(images)


def _append_call(turns: list[Turn], name: str) -> None:
    """Calls are items of their own; with the words before them they are a turn."""
    if turns and turns[-1].role == "assistant":
        turns[-1] = msgspec.structs.replace(turns[-1], called=(*turns[-1].called, name))
    else:
        turns.append(Turn(role="assistant", called=(name,)))


def _append_result(turns: list[Turn], item: Cursor) -> None:
    """Results of one turn's calls come as items of their own; together they are a turn."""
    result = Result(item.need("call_id").text(), _output(item.need("output")))
    if turns and turns[-1].role == "user" and turns[-1].results:
        turns[-1] = Turn(role="user", results=(*turns[-1].results, result))
    else:
        turns.append(Turn(role="user", results=(result,)))


def _output(field: Cursor) -> str:
    if not isinstance(field.value, list):
        return field.text()
    told = []
    for part in field.items():
        kind = part.need("type").text()
        told.append(part.need("text").text() if kind == "input_text" else "A file.")
    return "\n\n".join(told)


def _check_reasoning(item: Cursor, model: models.OpenAIModel) -> None:
    for part in item.need("summary").items():
        part.need("text").text()
    sealed = item.at("encrypted_content")
    if sealed and model.strict and not signature_fits(sealed.text(), ""):
        raise refusal(
            f"The encrypted content {sealed.text()[:4]}... could not be verified. Reason: "
            "Encrypted content could not be decrypted or parsed.",
            None,
            "invalid_encrypted_content",
        )


def _not_kept(identifier: str) -> RefusedError:
    return RefusedError(
        ErrorSpec(
            status=404,
            type="invalid_request_error",
            message=(
                f"Item with id '{identifier}' not found. Items are not persisted when `store` is "
                "set to false. Try again with `store` set to true, or remove this item from your "
                "input."
            ),
            param="input",
        )
    )


def _check_calls(items: list[Cursor]) -> None:
    """Each call has its output, and each output its call."""
    called: dict[str, None] = {}
    answered: dict[str, None] = {}
    for item in items:
        kind = _kind(item)
        if kind == "function_call":
            called[item.need("call_id").text()] = None
        elif kind == "function_call_output":
            answered[item.need("call_id").text()] = None
    for identifier in answered:
        if identifier not in called:
            told = f"No tool call found for function call output with call_id {identifier}."
            raise refusal(told, "input")
    for identifier in called:
        if identifier not in answered:
            raise refusal(f"No tool output found for function call {identifier}.", "input")
