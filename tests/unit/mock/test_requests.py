"""Requests are refused as the vendors refuse them: status, envelope, words."""
# ruff: noqa: E501 - a row of a table stands on one line

import base64

import pytest

from understudy.mock.ids import sign
from unit.mock.mock_wire import (
    KEY,
    PATHS,
    SCHEMA,
    ask,
    body_for,
    exchange,
    request_bytes,
    stand_in,
)

PNG = base64.b64encode(b"not really a picture").decode()
USER = {"role": "user", "content": "hello"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "fog"}
CALLING = {"role": "assistant", "content": [CALL]}
ANSWERED = {"role": "user", "content": [RESULT]}
TOOL = {"name": "get_weather", "input_schema": SCHEMA}
OLD = "claude-sonnet-4-5"
ABSENT = object()


def block(**fields):
    return [{"role": "user", "content": [fields]}]


def image(**source):
    return block(type="image", source=source)


def thinking(text, signature):
    part = {"type": "thinking", "thinking": text, "signature": signature}
    return [USER, {"role": "assistant", "content": [part]}, USER]


#: What is changed in a right request, and what the refusal says.
MESSAGES = {
    "no model": ({"model": ABSENT}, "model: Field required"),
    "no max_tokens": ({"max_tokens": ABSENT}, "max_tokens: Field required"),
    "no messages": ({"messages": ABSENT}, "messages: Field required"),
    "text as max_tokens": ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    "true as max_tokens": ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    "negative max_tokens": ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    "too many max_tokens": ({"max_tokens": 999_999}, "max_tokens: 999999 > 128000, which is the maximum allowed number of output tokens for claude-sonnet-5"),
    "text as messages": ({"messages": "hi"}, "messages: Input should be a valid list"),
    "no turns": ({"messages": []}, "messages: at least one message is required"),
    "text as a turn": ({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary"),
    "unknown role": ({"messages": [{"role": "nobody", "content": "x"}]}, "messages.0.role: Input should be 'user' or 'assistant'"),
    "system role": ({"messages": [{"role": "system", "content": "x"}]}, 'messages: Unexpected role "system".'),
    "assistant first": ({"messages": [{"role": "assistant", "content": "x"}, USER]}, 'first message must use the "user" role'),
    "empty content": ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content except for the optional final assistant message"),
    "empty text": ({"messages": block(type="text", text="")}, "messages: text content blocks must be non-empty"),
    "blank text": ({"messages": block(type="text", text=" \n")}, "text content blocks must contain non-whitespace text"),
    "unknown block": ({"messages": block(type="smell")}, "messages.0.content.0: Input tag 'smell' found using 'type'"),
    "untyped block": ({"messages": block(text="x")}, "messages.0.content.0.type: Field required"),
    "foreign image type": ({"messages": image(type="base64", media_type="image/bmp", data=PNG)}, "messages.0.content.0.source.media_type: Input should be 'image/jpeg'"),
    "broken base64": ({"messages": image(type="base64", media_type="image/png", data="?")}, "invalid base64 data"),
    "unknown source": ({"messages": image(type="pigeon")}, "Input should be 'base64', 'file' or 'url'"),
    "call id": ({"messages": [USER, {"role": "assistant", "content": [CALL | {"id": "call:1"}]}, ANSWERED]}, "messages.1.content.0.id: String should match pattern '^[a-zA-Z0-9_-]+$'"),
    "call without result": ({"messages": [USER, CALLING, USER]}, "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1."),
    "call at the end": ({"messages": [USER, CALLING], "model": OLD, "max_tokens": 99}, "messages.1: `tool_use` ids were found without"),
    "result without call": ({"messages": [USER, ANSWERED]}, "messages.1.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1."),
    "result too late": ({"messages": [USER, CALLING, USER, {"role": "assistant", "content": "x"}, ANSWERED]}, "messages.1: `tool_use` ids were found without"),
    "call by the user": ({"messages": [{"role": "user", "content": [CALL]}]}, "`tool_use` blocks can only be in `assistant` messages"),
    "result by the assistant": ({"messages": [USER, {"role": "assistant", "content": [RESULT]}]}, "`tool_result` blocks can only be in `user` messages"),
    "another's signature": ({"messages": thinking("so", "RXhhbXBsZQ==")}, "messages.1.content.0: Invalid `signature` in `thinking` block"),
    "signature of other words": ({"messages": thinking("so", sign("else"))}, "Invalid `signature`"),
    "no signature": ({"messages": [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}]}, USER]}, "messages.1.content.0.signature: Field required"),
    "prefill": ({"messages": [USER, {"role": "assistant", "content": "He"}]}, "This model does not support assistant message prefill. The conversation must end with a user message."),
    "prefill of 4.6": ({"model": "claude-opus-4-6", "messages": [USER, {"role": "assistant", "content": "He"}]}, "does not support assistant message prefill"),
    "prefill with a space": ({"model": OLD, "messages": [USER, {"role": "assistant", "content": "He "}]}, "final assistant content cannot end with trailing whitespace"),
    "temperature": ({"temperature": 0.2}, "`temperature` is deprecated for this model."),
    "top_p": ({"top_p": 0.5}, "`top_p` is deprecated for this model."),
    "top_k": ({"model": "claude-opus-4-7", "top_k": 5}, "`top_k` is deprecated for this model."),
    "temperature of 2": ({"model": OLD, "temperature": 2}, "temperature: range: 0..1"),
    "temperature with thought": ({"model": OLD, "temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 1024}}, "`temperature` may only be set to 1 when thinking is enabled"),
    "prefill with thought": ({"model": OLD, "thinking": {"type": "enabled", "budget_tokens": 1024}, "messages": [USER, {"role": "assistant", "content": "He"}]}, "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`. When `thinking` is enabled,"),
    "budget": ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"'),
    "budget too small": ({"model": OLD, "thinking": {"type": "enabled", "budget_tokens": 1000}}, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"),
    "budget over max_tokens": ({"model": OLD, "thinking": {"type": "enabled", "budget_tokens": 2000}}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
    "no budget": ({"model": OLD, "thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    "adaptive on an old model": ({"model": OLD, "thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
    "thinking off on Fable": ({"model": "claude-fable-5", "thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported'),
    "unknown thinking": ({"thinking": {"type": "deep"}}, "thinking: Input tag 'deep' found using 'type'"),
    "unknown field": ({"understudy": 1}, "understudy: Extra inputs are not permitted"),
    "number as system": ({"system": 7}, "system: Input should be a valid list"),
    "blank stop": ({"stop_sequences": [" "]}, "each stop sequence must contain non-whitespace"),
    "text as stream": ({"stream": "yes"}, "stream: Input should be a valid boolean"),
    "tool name": ({"tools": [TOOL | {"name": "get weather"}]}, "tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
    "tool without schema": ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
    "tool schema's type": ({"tools": [{"name": "a", "input_schema": {"type": "array"}}]}, "input_schema.type: Input should be 'object'"),
    "tool twice": ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    "choice without tools": ({"tool_choice": {"type": "any"}}, "may only be specified while providing tools"),
    "choice of no tool": ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "b"}}, "Tool 'b' not found in provided tools"),
    "unknown choice": ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice: Input tag 'some' found using 'type'"),
    "forced tool with thought": ({"tools": [TOOL], "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}}, "Thinking may not be enabled when tool_choice forces tool use."),
    "format": ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type: Input should be 'json_schema'"),
    "long prompt": ({"model": OLD, "messages": [{"role": "user", "content": "word " * 201_000}]}, "prompt is too long: "),
}  # fmt: skip


def tool_message(identifier="call_1"):
    return {"role": "tool", "tool_call_id": identifier, "content": "fog"}


def calling(identifier="call_1"):
    function = {"name": "get_weather", "arguments": "{}"}
    call = {"id": identifier, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def part(**fields):
    return [{"role": "user", "content": [fields]}]


def strict(schema):
    return {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}


FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
#: What is changed, what the refusal says, `param`, `code`.
CHAT = {
    "no model": ({"model": ABSENT}, "you must provide a model parameter", None, None),
    "no messages": ({"messages": ABSENT}, "Missing required parameter: 'messages'.", "messages", "missing_required_parameter"),
    "no turns": ({"messages": []}, "Invalid 'messages': empty array.", "messages", "empty_array"),
    "text as messages": ({"messages": "hi"}, "Invalid type for 'messages': expected an array, but got a string instead.", "messages", "invalid_type"),
    "text as a turn": ({"messages": [1]}, "Invalid type for 'messages[0]': expected an object, but got an integer instead.", "messages[0]", "invalid_type"),
    "unknown role": ({"messages": [{"role": "nobody", "content": "x"}]}, "Invalid value: 'nobody'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.", "messages[0].role", "invalid_value"),
    "no role": ({"messages": [{"content": "x"}]}, "Missing required parameter: 'messages[0].role'.", "messages[0].role", "missing_required_parameter"),
    "no content": ({"messages": [{"role": "user"}]}, "expected a string, got null", "messages[0].content", None),
    "empty assistant": ({"messages": [USER, {"role": "assistant", "content": None}, USER]}, "expected a string, got null", "messages[1].content", None),
    "unknown part": ({"messages": part(type="smell")}, "Invalid value: 'smell'.", "messages[0].content[0].type", "invalid_value"),
    "image address": ({"messages": part(type="image_url", image_url={"url": "ftp://x"})}, "Expected a base64-encoded data URL", "messages[0].content[0].image_url.url", "invalid_value"),
    "broken base64": ({"messages": part(type="image_url", image_url={"url": "data:image/png;base64,?"})}, "Invalid base64 image_url.", "messages[0].content[0].image_url.url", "invalid_base64"),
    "result without call": ({"messages": [USER, tool_message()]}, "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.", "messages.[1].role", None),
    "result of another call": ({"messages": [USER, calling(), tool_message("call_2")]}, "'tool_call_id' of 'call_2' not found", "messages.[2].tool_call_id", None),
    "call without result": ({"messages": [USER, calling(), USER]}, "must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: call_1", "messages.[2].role", None),
    "call at the end": ({"messages": [USER, calling()]}, "did not have response messages: call_1", "messages.[2].role", None),
    "long call id": ({"messages": [USER, calling("x" * 41), tool_message("x" * 41)]}, "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 41 instead.", "messages[1].tool_calls[0].id", "string_above_max_length"),
    "unknown field": ({"top_k": 5}, "Unknown parameter: 'top_k'.", "top_k", "unknown_parameter"),
    "max_tokens of o-series": ({"model": "o4-mini", "max_tokens": 50}, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter"),
    "max_tokens of gpt-5": ({"model": "gpt-5.2", "max_tokens": 50}, "Use 'max_completion_tokens' instead.", "max_tokens", "unsupported_parameter"),
    "temperature of gpt-5": ({"model": "gpt-5-mini", "temperature": 0.16}, "Unsupported value: 'temperature' does not support 0.16 with this model. Only the default (1) value is supported.", "temperature", "unsupported_value"),
    "top_p of o3": ({"model": "o3", "top_p": 0.5}, "Unsupported parameter: 'top_p' is not supported with this model.", "top_p", "unsupported_parameter"),
    "stop of gpt-5.2": ({"model": "gpt-5.2", "stop": "x"}, "Unsupported parameter: 'stop' is not supported with this model.", "stop", "unsupported_parameter"),
    "effort of gpt-4o": ({"reasoning_effort": "low"}, "Unrecognized request argument supplied: reasoning_effort", None, None),
    "both limits": ({"max_tokens": 1, "max_completion_tokens": 1}, "at the same time is not supported", None, "invalid_parameter_combination"),
    "no limit at all": ({"max_tokens": 0}, "integer below minimum value. Expected a value >= 1, but got 0 instead.", "max_tokens", "integer_below_min_value"),
    "temperature of 3": ({"temperature": 3}, "decimal above maximum value. Expected a value <= 2, but got 3 instead.", "temperature", "decimal_above_max_value"),
    "five stops": ({"stop": list("abcde")}, "array too long", "stop", "array_above_max_length"),
    "usage without stream": ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled.", "stream_options", None),
    "no choice": ({"n": 0}, "integer out of range", "n", None),
    "choice without tools": ({"tool_choice": "auto"}, "'tool_choice' is only allowed when 'tools' are specified.", "tool_choice", None),
    "parallel without tools": ({"parallel_tool_calls": True}, "'parallel_tool_calls' is only allowed when 'tools' are specified.", "parallel_tool_calls", None),
    "unknown choice": ({"tools": [FUNCTION], "tool_choice": "some"}, "Invalid value: 'some'.", "tool_choice", "invalid_value"),
    "choice of no tool": ({"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "b"}}}, "no function named 'b' was specified", "tool_choice", None),
    "tool name": ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "string does not match pattern", "tools[0].function.name", "invalid_value"),
    "json unsaid": ({"response_format": {"type": "json_object"}}, "'messages' must contain the word 'json' in some form", "messages", None),
    "unknown format": ({"response_format": {"type": "xml"}}, "Invalid value: 'xml'.", "response_format.type", "invalid_value"),
    "nameless schema": ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "Missing required parameter: 'response_format.json_schema.name'.", "response_format.json_schema.name", "missing_required_parameter"),
    "open strict schema": ({"response_format": strict({"type": "object", "properties": {}})}, "In context=(), 'additionalProperties' is required to be supplied and to be false.", "response_format", None),
    "optional in strict schema": ({"response_format": strict({"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False})}, "Missing 'a'.", "response_format", None),
    "open inside strict schema": ({"response_format": strict({"type": "object", "properties": {"a": {"type": "object", "properties": {}}}, "required": ["a"], "additionalProperties": False})}, "In context=('properties', 'a'), 'additionalProperties'", "response_format", None),
    "long prompt": ({"messages": [{"role": "user", "content": "word " * 129_000}]}, "This model's maximum context length is 128000 tokens. However, your messages resulted in", "messages", "context_length_exceeded"),
}  # fmt: skip


R_FUNCTION = {"type": "function", "name": "get_weather", "parameters": SCHEMA}
R_CALL = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
R_OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "fog"}
REASONER = "gpt-5-mini"


def r_part(role="user", **fields):
    return {"input": [{"role": role, "content": [fields]}]}


def r_format(**fields):
    return {"text": {"format": {"type": "json_schema", "name": "a", "strict": True} | fields}}


#: What is changed, what the refusal says, `param`, `code`: in the words that users of the API got.
RESPONSES = {
    "no model": ({"model": ABSENT}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
    "null as model": ({"model": None}, "Invalid type for 'model': expected a string, but got an object instead.", "model", "invalid_type"),
    "empty model": ({"model": ""}, "The requested model '' does not exist.", "model", "model_not_found"),
    "number as model": ({"model": 7}, "Invalid type for 'model': expected a string, but got an integer instead.", "model", "invalid_type"),
    "no input": ({"input": ABSENT}, 'One of "input" or "previous_response_id"', None, "missing_required_parameter"),
    "object as input": ({"input": {}}, "Invalid type for 'input': expected one of a string or array of input items, but got an object instead.", "input", "invalid_type"),
    "text as an item": ({"input": ["hi"]}, "Invalid type for 'input[0]': expected an object, but got a string instead.", "input[0]", "invalid_type"),
    "unknown role": ({"input": [{"role": "nobody", "content": "x"}]}, "Invalid value: 'nobody'. Supported values are: 'assistant', 'system', 'developer', and 'user'.", "input[0].role", "invalid_value"),
    "unknown item": ({"input": [{"type": "smell"}]}, "Invalid value: 'smell'. Supported values are:", "input[0].type", "invalid_value"),
    "item of no type": ({"input": [{"content": "x"}]}, "Missing required parameter: 'input[0].type'.", "input[0].type", "missing_required_parameter"),
    "no content": ({"input": [{"role": "user"}]}, "Missing required parameter: 'input[0].content'.", "input[0].content", "missing_required_parameter"),
    "unknown member": ({"input": [{"role": "user", "content": "x", "bogus": 1}]}, "Unknown parameter: 'input[0].bogus'.", "input[0].bogus", "unknown_parameter"),
    "chat's part": (r_part(type="text", text="x"), "Invalid value: 'text'. Supported values are: 'input_text', 'input_image', 'output_text', 'refusal', 'input_file', 'computer_screenshot', and 'summary_text'.", "input[0].content[0].type", "invalid_value"),
    "input by the assistant": (r_part("assistant", type="input_text", text="x"), "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'.", "input[0].content[0].type", "invalid_value"),
    "part of no type": (r_part(text="x"), "Missing required parameter: 'input[0].content[0].type'.", "input[0].content[0].type", "missing_required_parameter"),
    "image address": (r_part(type="input_image", image_url="iVBORw0KGgo"), "Expected a base64-encoded data URL with an image MIME type", "input[0].content[0].image_url", "invalid_value"),
    "call without output": ({"input": [USER, R_CALL, USER]}, "No tool output found for function call call_1.", "input", None),
    "output without call": ({"input": [USER, R_OUTPUT]}, "No tool call found for function call output with call_id call_1.", "input", None),
    "reasoning without summary": ({"input": [USER, {"type": "reasoning", "id": "rs_1"}]}, "Missing required parameter: 'input[1].summary'.", "input[1].summary", "missing_required_parameter"),
    "another's seal": ({"input": [USER, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAxyz"}, USER]}, "The encrypted content gAAA... could not be verified.", None, "invalid_encrypted_content"),
    "chat's messages": ({"messages": [USER]}, "Unsupported parameter: 'messages'. In the Responses API, this parameter has moved to 'input'.", None, "unsupported_parameter"),
    "chat's limit": ({"max_completion_tokens": 99}, "has moved to 'max_output_tokens'.", None, "unsupported_parameter"),
    "chat's format": ({"response_format": {"type": "text"}}, "has moved to 'text.format'.", None, "unsupported_parameter"),
    "unknown field": ({"seed": 1}, "Unknown parameter: 'seed'.", "seed", "unknown_parameter"),
    "include_usage": ({"stream": True, "stream_options": {"include_usage": True}}, "Unknown parameter: 'stream_options.include_usage'.", "stream_options.include_usage", "unknown_parameter"),
    "text as stream": ({"stream": "yes"}, "Invalid type for 'stream': expected a boolean, but got a string instead.", "stream", "invalid_type"),
    "text as temperature": ({"temperature": "hot"}, "Invalid type for 'temperature': expected a decimal, but got a string instead.", "temperature", "invalid_type"),
    "hot": ({"temperature": 3}, "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.", "temperature", "decimal_above_max_value"),
    "temperature of a reasoner": ({"model": REASONER, "temperature": 0.5}, "Unsupported parameter: 'temperature' is not supported with this model.", "temperature", None),
    "effort of another": ({"reasoning": {"effort": "low"}}, "Unsupported parameter: 'reasoning.effort' is not supported with this model.", "reasoning.effort", "unsupported_parameter"),
    "unknown effort": ({"model": REASONER, "reasoning": {"effort": "bogus"}}, "Invalid value: 'bogus'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'.", "reasoning.effort", "invalid_value"),
    "unknown of reasoning": ({"reasoning": {"bogus": 1}}, "Unknown parameter: 'reasoning.bogus'.", "reasoning.bogus", "unknown_parameter"),
    "limit of 15": ({"max_output_tokens": 15}, "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead.", "max_output_tokens", "integer_below_min_value"),
    "text as limit": ({"max_output_tokens": "x"}, "Invalid type for 'max_output_tokens': expected an integer, but got a string instead.", "max_output_tokens", "invalid_type"),
    "truncation": ({"truncation": "bogus"}, "Invalid value: 'bogus'. Supported values are: 'auto' and 'disabled'.", "truncation", "invalid_value"),
    "object as truncation": ({"truncation": {}}, "Invalid type for 'truncation': expected one of 'auto' or 'disabled', but got an object instead.", "truncation", "invalid_type"),
    "include": ({"include": ["bogus.thing"]}, "Invalid value: 'bogus.thing'. Supported values are: 'file_search_call.results',", "include[0]", "invalid_value"),
    "metadata": ({"metadata": "x"}, "Invalid type for 'metadata': expected a metadata object, but got a string instead.", "metadata", "invalid_type"),
    "much metadata": ({"metadata": {f"k{i}": "v" for i in range(17)}}, "Expected an object with at most 16 properties, but got an object with 17 properties instead.", "metadata", "object_above_max_properties"),
    "instructions": ({"instructions": 7}, "Invalid type for 'instructions': expected a string, but got an integer instead.", "instructions", "invalid_type"),
    "an answer that is not kept": ({"previous_response_id": "resp_x"}, "Previous response with id 'resp_x' not found.", "previous_response_id", "previous_response_not_found"),
    "in the background": ({"background": True}, "does not answer in the background", "background", None),
    "text as tools": ({"tools": "x"}, "Invalid type for 'tools': expected an array of tools, but got a string instead.", "tools", "invalid_type"),
    "chat's tool": ({"tools": [FUNCTION]}, "Missing required parameter: 'tools[0].name'.", "tools[0].name", "missing_required_parameter"),
    "tool name": ({"tools": [R_FUNCTION | {"name": "get weather"}]}, "Invalid 'tools[0].name': string does not match pattern.", "tools[0].name", "invalid_value"),
    "open strict tool": ({"tools": [R_FUNCTION | {"strict": True, "parameters": {"type": "object"}}]}, "'additionalProperties' is required", "tools[0].name", None),
    "choice": ({"tools": [R_FUNCTION], "tool_choice": "bogus"}, "Invalid value: 'bogus'. Supported values are: 'none', 'auto', and 'required'.", "tool_choice", "invalid_value"),
    "number as choice": ({"tool_choice": 7}, "Invalid type for 'tool_choice': expected one of an object or 'none', 'auto', or 'required', but got an integer instead.", "tool_choice", "invalid_type"),
    "chat's choice": ({"tools": [R_FUNCTION], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}}, "Missing required parameter: 'tool_choice.name'.", "tool_choice.name", "missing_required_parameter"),
    "choice of no tool": ({"tools": [R_FUNCTION], "tool_choice": {"type": "function", "name": "b"}}, "Tool choice 'function' not found in 'tools' parameter.", "tool_choice", None),
    "choice without tools": ({"tool_choice": "required"}, "Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice", None),
    "no json": ({"text": {"format": {"type": "json_object"}}}, "Response input messages must contain the word 'json' in some form", "text.format", None),
    "unknown format": ({"text": {"format": {"type": "xml"}}}, "Invalid value: 'xml'. Supported values are: 'json_object', 'json_schema', and 'text'.", "text.format.type", "invalid_value"),
    "chat's schema": ({"text": {"format": {"type": "json_schema", "json_schema": {}}}}, "Missing required parameter: 'text.format.name'.", "text.format.name", "missing_required_parameter"),
    "open strict schema": (r_format(schema={"type": "object", "properties": {}}), "In context=(), 'additionalProperties' is required to be supplied and to be false.", "text.format.schema", "invalid_json_schema"),
    "long input": ({"input": "word " * 129_000}, "Your input exceeds the context window of this model.", "input", "context_length_exceeded"),
    # Of two faults the API names the one that it comes upon first.
    "model before fields": ({"model": ABSENT, "bogus": 1}, "Missing required parameter: 'model'.", "model", "missing_required_parameter"),
    "fields before input": ({"input": 7, "bogus": 1}, "Unknown parameter: 'bogus'.", "bogus", "unknown_parameter"),
    "input before the rest": ({"input": 7, "truncation": "bogus"}, "Invalid type for 'input'", "input", "invalid_type"),
    "tools before text": ({"tools": "x", "text": "x"}, "Invalid type for 'tools'", "tools", "invalid_type"),
    "shape before state": ({"previous_response_id": "resp_x", "truncation": "bogus"}, "Invalid value: 'bogus'.", "truncation", "invalid_value"),
    "state before support": ({"model": REASONER, "previous_response_id": "resp_x", "temperature": 0.5}, "Previous response with id", "previous_response_id", "previous_response_not_found"),
}  # fmt: skip


def changed(dialect, change):
    body = body_for(dialect)
    return {k: v for k, v in {**body, **change}.items() if v is not ABSENT}


@pytest.mark.parametrize("name", MESSAGES)
async def test_messages_refuses(name):
    change, words = MESSAGES[name]
    async with stand_in() as server:
        data = request_bytes("/v1/messages", changed("messages", change))
        seen = await exchange(server, data)
        assert seen.status == 400
        assert seen.json["type"] == "error"
        assert seen.json["error"]["type"] == "invalid_request_error"
        assert words in seen.json["error"]["message"]
        assert seen.json["request_id"] == seen.headers["request-id"]


@pytest.mark.parametrize("name", CHAT)
async def test_chat_completions_refuses(name):
    change, words, param, code = CHAT[name]
    async with stand_in() as server:
        data = request_bytes("/v1/chat/completions", changed("chat_completions", change))
        seen = await exchange(server, data)
        assert seen.status == 400
        error = seen.json["error"]
        assert error["type"] == "invalid_request_error"
        assert words in error["message"]
        assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize("name", RESPONSES)
async def test_responses_refuses(name):
    change, words, param, code = RESPONSES[name]
    async with stand_in() as server:
        seen = await exchange(server, request_bytes("/v1/responses", changed("responses", change)))
        assert seen.status == 400
        error = seen.json["error"]
        assert error["type"] == "invalid_request_error"
        assert words in error["message"]
        assert (error["param"], error["code"]) == (param, code)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"conversation": "conv_x"}, "Conversation with id 'conv_x' not found."),
        ({"conversation": {"id": "conv_x"}}, "Conversation with id 'conv_x' not found."),
        ({"prompt": {"id": "pmpt_x"}, "input": ABSENT}, "Prompt with id 'pmpt_x' not found."),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, "Item with id 'msg_x' not found."),
    ],
)
async def test_responses_finds_nothing_that_it_would_have_to_remember(change, words):
    async with stand_in() as server:
        seen = await exchange(server, request_bytes("/v1/responses", changed("responses", change)))
        assert seen.status == 404
        assert words in seen.json["error"]["message"]


#: What must go through, lest the stand-in be stricter than the vendor.
TAKEN = {
    "messages": [
        {"messages": [USER, USER]},
        {"messages": [USER, {"role": "assistant", "content": "He"}], "model": OLD},
        {"messages": [USER, CALLING, ANSWERED], "tools": [TOOL]},
        {"messages": [USER, CALLING, {"role": "user", "content": [RESULT, {"type": "text", "text": "so?"}]}]},
        {"messages": thinking("so", sign("so"))},
        {"messages": thinking("", sign("hidden"))},
        {"messages": image(type="base64", media_type="image/png", data=PNG)},
        {"messages": image(type="url", url="https://example.com/a.png")},
        {"messages": block(type="document", source={"type": "text", "media_type": "text/plain", "data": "x"})},
        {"temperature": 1, "metadata": {"user_id": "u"}, "service_tier": "auto"},
        {"model": OLD, "temperature": 0.3, "top_k": 4, "thinking": {"type": "disabled"}},
        {"system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"model": "mock-anything"},
    ],
    "chat_completions": [
        {"messages": [{"role": "developer", "content": "Be kind."}, USER]},
        {"messages": [USER, calling(), tool_message()], "tools": [FUNCTION]},
        {"messages": part(type="image_url", image_url={"url": f"data:image/png;base64,{PNG}"})},
        {"messages": [USER, {"role": "assistant", "content": "He"}]},
        {"model": "gpt-5.2", "max_completion_tokens": 50, "temperature": 0.4},
        {"model": "o3", "reasoning_effort": "high", "temperature": 1},
        {"model": "meta-llama/Llama-3", "top_k": 5, "max_tokens": 9, "min_p": 0.1},
        {"temperature": 1.5, "stop": ["a", "b"], "n": 2, "seed": 7, "user": "u"},
        {"tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
        {"response_format": {"type": "text"}},
    ],
    "responses": [
        {"input": "hello"},
        {"input": [{"role": "developer", "content": "Be kind."}, USER], "instructions": "Be brief."},
        {"input": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}, USER]},
        {"input": [USER, R_CALL, R_OUTPUT], "tools": [R_FUNCTION]},
        {"input": [USER, R_CALL, R_OUTPUT | {"output": [{"type": "input_text", "text": "fog"}]}]},
        {"input": [USER, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sign("so")}, R_CALL, R_OUTPUT]},
        {"input": [USER, {"role": "assistant", "content": "He"}]},
        r_part(type="input_image", image_url=f"data:image/png;base64,{PNG}", detail="auto"),
        {"model": "gpt-5.2", "temperature": 0.4, "max_output_tokens": 16},
        {"model": "o3", "reasoning": {"effort": "high", "summary": "auto"}, "temperature": 1},
        {"model": "meta-llama/Llama-3", "top_k": 5, "max_output_tokens": 9},
        {"tools": [R_FUNCTION, {"type": "web_search"}], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [R_FUNCTION], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
        {"text": {"format": {"type": "text"}, "verbosity": "low"}, "store": False, "metadata": {"a": "b"}},
        {"include": ["reasoning.encrypted_content"], "truncation": "auto", "user": "u"},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
    ],
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "change"), [(d, c) for d, cs in TAKEN.items() for c in cs])
async def test_what_the_vendor_takes_is_taken(dialect, change):
    async with stand_in() as server:
        seen = await exchange(server, request_bytes(PATHS[dialect], changed(dialect, change)))
        assert seen.status == 200, seen.body


@pytest.mark.parametrize(
    ("dialect", "model", "status"),
    [
        ("messages", "gpt-5.2", 404),
        ("chat_completions", "claude-sonnet-5", 404),
        ("responses", "claude-sonnet-5", 400),
    ],
)
async def test_the_other_vendor_s_model_is_not_there(dialect, model, status):
    async with stand_in() as server:
        data = request_bytes(PATHS[dialect], changed(dialect, {"model": model}))
        seen = await exchange(server, data)
        assert seen.status == status
        assert model in seen.json["error"]["message"]


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff"])
@pytest.mark.parametrize("path", PATHS.values())
async def test_a_body_that_is_no_json_object_is_refused(path, body):
    async with stand_in() as server:
        seen = await exchange(server, request_bytes(path, body))
        assert seen.status == 400
        assert seen.json["error"]["type"] == "invalid_request_error"


# -- keys


async def test_messages_wants_a_key_and_a_version():
    body = body_for("messages")
    async with stand_in() as server:
        none = await exchange(server, request_bytes("/v1/messages", body, key=""))
        assert (none.status, none.json["error"]["type"]) == (401, "authentication_error")
        both = [("authorization", "Bearer other")]
        two = await exchange(server, request_bytes("/v1/messages", body, headers=both))
        assert (two.status, two.json["error"]["message"]) == (401, "invalid x-api-key")
        bare = request_bytes("/v1/messages", body).replace(b"anthropic-version", b"x-version")
        unversioned = await exchange(server, bare)
        assert (unversioned.status, unversioned.json["error"]["message"]) == (
            400,
            "anthropic-version: header is required",
        )
        bearer = [("authorization", f"Bearer {KEY}")]
        sdk = await exchange(server, request_bytes("/v1/messages", body, key="", headers=bearer))
        assert sdk.status == 200


@pytest.mark.parametrize("dialect", ["chat_completions", "responses"])
async def test_openai_wants_a_bearer_key(dialect):
    body, path = body_for(dialect), PATHS[dialect]
    async with stand_in() as server:
        none = await exchange(server, request_bytes(path, body, key=""))
        assert none.status == 401
        assert none.json["error"]["message"].startswith("You didn't provide an API key.")
        other = [("x-api-key", KEY)]
        wrong = request_bytes(path, body, key="", headers=other)
        assert (await exchange(server, wrong)).status == 401


@pytest.mark.parametrize("dialect", PATHS)
async def test_a_revoked_key_is_refused_and_others_are_not(dialect):
    async with stand_in() as server:
        server.board.put_revoked(["abcd"])
        seen = await ask(server, dialect)
        assert seen.status == 401
        assert KEY.encode() not in seen.body
        data = request_bytes(PATHS[dialect], body_for(dialect), key="sk-another-key-efgh")
        assert (await exchange(server, data)).status == 200
