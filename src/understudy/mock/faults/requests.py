"""What the vendors say of a request that they do not take."""

from __future__ import annotations

from msgspec.structs import replace

from understudy.mock.faults.vendor_error import INVALID, claude, entry, gpt

__all__ = ["ENTRIES"]

_NO_PREFILL = replace(
    entry(
        "no_prefill",
        "The model does not go on with a turn of its own: only requests that end with one fail.",
        claude(
            400,
            INVALID,
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message.",
        ),
        # https://github.com/mistralai/mistral-common, protocol/instruct/validator.py
        gpt(
            400,
            "invalid_request_message_order",
            "3230",
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got "
            "assistant",
        ),
    ),
    only="prefilled",
)

ENTRIES = (
    entry(
        "model_not_found",
        "No such model, or not for this key.",
        claude(404, "not_found_error", "model: {model}"),
        gpt(
            404,
            INVALID,
            "model_not_found",
            "The model `{model}` does not exist or you do not have access to it.",
        ),
        responses=gpt(
            400,
            INVALID,
            "model_not_found",
            "The requested model '{model}' does not exist.",
            param="model",
        ),
    ),
    entry(
        "invalid_request",
        "Something in the request is wrong.",
        claude(400, INVALID, "messages.0.content: Input should be a valid list"),
        gpt(
            400,
            INVALID,
            "invalid_value",
            "Invalid value: 'nobody'. Supported values are: 'system', 'assistant', 'user', "
            "'function', 'tool', and 'developer'.",
            param="messages[0].role",
        ),
        responses=gpt(
            400,
            INVALID,
            "invalid_value",
            "Invalid value: 'nobody'. Supported values are: 'assistant', 'system', 'developer', "
            "and 'user'.",
            param="input[0].role",
        ),
    ),
    entry(
        "unsupported_parameter",
        "The model does not take a parameter.",
        claude(400, INVALID, "`temperature` is deprecated for this model."),
        gpt(
            400,
            INVALID,
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
        ),
        responses=gpt(
            400,
            INVALID,
            None,
            "Unsupported parameter: 'temperature' is not supported with this model.",
            param="temperature",
        ),
    ),
    entry(
        "prefill_refused",
        "The model does not go on with a turn of its own.",
        claude(
            400,
            INVALID,
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message.",
        ),
    ),
    _NO_PREFILL,
    entry(
        "context_too_long",
        "The prompt is longer than the model's context.",
        claude(400, INVALID, "prompt is too long: 203412 tokens > 200000 maximum"),
        gpt(
            400,
            INVALID,
            "context_length_exceeded",
            "This model's maximum context length is 128000 tokens. However, your messages resulted "
            "in 130174 tokens. Please reduce the length of the messages.",
            param="messages",
        ),
        responses=gpt(
            400,
            INVALID,
            "context_length_exceeded",
            "Your input exceeds the context window of this model. Please adjust your input and "
            "try again.",
            param="input",
        ),
    ),
    entry(
        "request_too_large",
        "The body is too large for the API.",
        claude(413, "request_too_large", "Request exceeds the maximum size"),
        gpt(413, INVALID, None, "Request body is too large"),
    ),
    entry(
        "content_filter",
        "The prompt is refused before the model sees it.",
        claude(400, INVALID, "Output blocked by content filtering policy"),
        gpt(
            400,
            INVALID,
            "content_filter",
            "The response was filtered due to the prompt triggering the content management "
            "policy. Please modify your prompt and retry.",
            param="prompt",
        ),
    ),
)
