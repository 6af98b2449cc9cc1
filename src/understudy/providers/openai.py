"""OpenAI's chat completions and responses.

Sources: https://developers.openai.com/api/docs/guides/error-codes,
https://help.openai.com/en/articles/5955604 (429: limits and money told apart by `error.code`), the
error codes of openai-python (`types/responses/response_error.py`), and what is named beside the
rows. Types and codes are an open set: what no row knows is judged by `STATUSES`.
"""

from __future__ import annotations

from types import MappingProxyType

from understudy.core.faults import Kind, Remedy, Scope
from understudy.providers.base import Manners
from understudy.providers.quotas import openai_quotas
from understudy.providers.rules import Rule, error_reader, fault_reader, says
from understudy.providers.statuses import STATUSES
from understudy.providers.traits import openai_traits

__all__ = ["OPENAI", "VENDOR_RULES", "bearer"]

_PATHS = MappingProxyType(
    {"chat_completions": "/chat/completions", "responses": "/responses", "models": "/models"}
)

_MONEY: tuple[Rule, ...] = (
    Rule(
        case="a monthly spending limit",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=(
            "organization_spend_limit_exceeded",
            "project_spend_limit_exceeded",
            "billing_hard_limit_reached",
        ),
        until="month",
    ),
    Rule(
        case="credit or quota used up",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=(
            "insufficient_quota",
            "credit_balance_exhausted",
            "organization_usage_limit_exceeded",
            "billing_not_active",
        ),
    ),
    Rule(
        case="the type insufficient_quota",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        types=("insufficient_quota",),
    ),
)

_CODES: tuple[Rule, ...] = (
    Rule(
        case="a key or account that is no longer valid",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=("invalid_api_key", "account_deactivated", "access_terminated"),
    ),
    # Where our machines stand, whichever key they use.
    Rule(
        case="country not served",
        kind=Kind.CONFIG,
        scope=Scope.PROVIDER,
        codes=("unsupported_country_region_territory",),
    ),
    Rule(
        case="data residency does not match",
        kind=Kind.CONFIG,
        scope=Scope.ACCOUNT,
        codes=("data_residency_mismatch",),
    ),
    # Under 403 it is this project that lacks the model.
    Rule(
        case="model not allowed for this project",
        kind=Kind.CONFIG,
        scope=Scope.ACCOUNT,
        status=(403,),
        codes=("model_not_found",),
    ),
    Rule(
        case="model_not_found",
        kind=Kind.CONFIG,
        scope=Scope.MODEL,
        codes=("model_not_found",),
    ),
    # A single request above the tokens a minute: it never fits this account, whenever it comes.
    Rule(
        case="larger than the account's limit for a minute",
        kind=Kind.ADAPTABLE,
        scope=Scope.ACCOUNT,
        status=(200, 413, 429),
        message=says(r"request too large for "),
    ),
    Rule(
        case="rate_limit_exceeded, slow_down",
        kind=Kind.THROTTLED,
        scope=Scope.ACCOUNT,
        codes=("rate_limit_exceeded", "slow_down"),
    ),
    Rule(
        case="server_is_overloaded",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        codes=("server_is_overloaded", "engine_overloaded", "service_unavailable"),
    ),
    Rule(
        case="does not fit this model",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        codes=(
            "context_length_exceeded",
            "string_above_max_length",
            "unsupported_parameter",
            "unsupported_value",
        ),
    ),
    # Azure's and OpenAI's own filters, before the model has seen the prompt.
    Rule(
        case="against the content policy",
        kind=Kind.REFUSED,
        scope=Scope.REQUEST,
        codes=(
            "content_filter",
            "content_policy_violation",
            "bio_policy",
            "misalignment_policy_violation",
            "image_content_policy_violation",
            "moderation_blocked",
        ),
    ),
    # The same code stands for a prompt that is simply malformed.
    Rule(
        case="prompt flagged",
        kind=Kind.REFUSED,
        scope=Scope.REQUEST,
        codes=("invalid_prompt",),
        message=says(r"(?s).{0,200}\b(?:flagged|violat\w+|usage polic(?:y|ies))\b"),
    ),
    Rule(
        case="a prompt that is malformed",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        codes=("invalid_prompt",),
    ),
    # What an account keeps, another does not know, or not any more.
    Rule(
        case="kept by another account",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        codes=("previous_response_not_found", "image_file_not_found"),
    ),
    # Another organisation's reasoning (openai/codex #8128).
    Rule(
        case="past reasoning that it cannot read",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        codes=("invalid_encrypted_content",),
        remedy=Remedy.WITHOUT_THINKING,
    ),
    # Another vendor fetches, opens and measures images in its own way.
    Rule(
        case="an image that it cannot take",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        codes=(
            "failed_to_download_image",
            "image_file_too_large",
            "image_too_large",
            "image_too_small",
            "invalid_image_mode",
            "unsupported_image_media_type",
        ),
    ),
    Rule(
        case="an image that is none",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        codes=(
            "empty_image_file",
            "image_parse_error",
            "invalid_base64_image",
            "invalid_image",
            "invalid_image_format",
            "invalid_image_url",
        ),
    ),
    # The store behind a built-in tool, which no other model of the account would find quicker.
    Rule(
        case="vector_store_timeout",
        kind=Kind.SLOW,
        scope=Scope.REQUEST,
        codes=("vector_store_timeout",),
    ),
    Rule(
        case="server_error",
        kind=Kind.OUTAGE,
        scope=Scope.MODEL,
        codes=("server_error", "internal_error"),
    ),
)

_MESSAGES: tuple[Rule, ...] = (
    Rule(
        case="too long for this model",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=(200, 400, 413, 422),
        message=says(
            r"this model's maximum context length is ",
            r"max_(?:completion_)?tokens is too large",
        ),
    ),
    Rule(
        case="a parameter that this model does not take",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=(200, 400, 422),
        message=says(
            r"unsupported (?:parameter|value): ",
            r"model incompatible request argument",
            r"[^\n]{1,160}\b(?:is|are) not supported (?:for|on|by|with|in) this model",
            r"invalid content type\. image_url is only supported by",
        ),
    ),
    # "Item with id 'rs_…' not found. Items are not persisted when `store` is set to false."
    # (vercel/ai #7543), "Item 'fc_…' of type 'function_call' was provided without its required
    # 'reasoning' item" (cline/cline #12242), "Item 'rs_…' of type 'reasoning' was provided without
    # its required following item" (vercel/ai #7099).
    Rule(
        case="past reasoning that it does not find",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=(200, 400, 404),
        message=says(
            r"item with id 'rs_[^'\n]{1,120}' not found",
            r"item '[^'\n]{1,120}' of type '[a-z_]{1,60}' was provided without its required",
            r"the encrypted content (?:for item )?[^\n]{1,200} could not be verified",
        ),
        remedy=Remedy.WITHOUT_THINKING,
    ),
    # "Previous response with id 'resp_…' not found.", "Invalid `previous_response_id`."
    # (Soju06/codex-lb #1817).
    Rule(
        case="a conversation that this account does not keep",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=(200, 400, 404),
        message=says(
            r"(?:previous response|response|conversation|item) with id '[^'\n]{1,120}' not found",
            r"invalid `previous_response_id`",
        ),
    ),
    Rule(
        case="the model is overloaded",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        message=says(
            r"the engine is currently overloaded", r"(?:that|the) model is currently overloaded"
        ),
    ),
)

_TYPES: tuple[Rule, ...] = (
    Rule(
        case="service_unavailable_error",
        kind=Kind.OVERLOAD,
        scope=Scope.MODEL,
        types=("service_unavailable_error", "service_unavailable", "overloaded_error"),
    ),
    # Limits of requests and of tokens. Without a hint the status looks for money first.
    Rule(
        case="a rate limit that says when it ends",
        kind=Kind.THROTTLED,
        scope=Scope.ACCOUNT,
        types=("requests", "tokens", "rate_limit_error", "rate_limit_exceeded"),
        hinted=True,
    ),
    Rule(
        case="a rate limit inside a success",
        kind=Kind.THROTTLED,
        scope=Scope.ACCOUNT,
        status=(200,),
        types=("requests", "tokens", "rate_limit_error", "rate_limit_exceeded"),
    ),
    Rule(
        case="an authentication error",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        types=("authentication_error",),
    ),
    Rule(
        case="a timeout",
        kind=Kind.SLOW,
        scope=Scope.MODEL,
        types=("timeout", "timeout_error"),
    ),
    Rule(
        case="server_error, by its type",
        kind=Kind.OUTAGE,
        scope=Scope.MODEL,
        types=("server_error", "api_error"),
    ),
    # The broadest word of all: where the status is more exact, the status decides.
    Rule(
        case="invalid_request_error",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        status=(200, 400, 422),
        types=("invalid_request_error",),
    ),
)

#: OpenAI's own rows, without `STATUSES`.
VENDOR_RULES: tuple[Rule, ...] = (*_MONEY, *_CODES, *_MESSAGES, *_TYPES)

_RULES = (*VENDOR_RULES, *STATUSES)


def bearer(api_key: str | None) -> tuple[tuple[str, str], ...]:
    """The key as RFC 6750 carries it; nothing without one."""
    return () if api_key is None else (("authorization", f"Bearer {api_key}"),)


OPENAI = Manners(
    kind="openai",
    default_base_url="https://api.openai.com/v1",
    # Best first: callers of other dialects are served in chat completions.
    dialects=("chat_completions", "responses"),
    keyless=False,
    path=_PATHS.__getitem__,
    authorise=bearer,
    # Never openai-organization or openai-project: whose money is spent is the account's to say.
    forwarded_headers=frozenset({"openai-beta"}),
    read_fault=fault_reader(_RULES),
    read_error=error_reader(_RULES),
    traits=openai_traits,
    read_quotas=openai_quotas,
    # "Usage needs are estimated from this value", `max_tokens`
    # (https://help.openai.com/en/articles/6891753-rate-limit-advice).
    reserves_output=True,
)
