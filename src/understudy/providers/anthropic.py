"""Anthropic's Messages API.

Sources: https://platform.claude.com/docs/en/api/errors (statuses, types, spending limits, prefill),
https://platform.claude.com/docs/en/api/rate-limits, the error types of anthropic-sdk-python
(`types/shared/*_error_details.py`), and the issues named beside the rows. Types and codes are an
open set: what no row knows is judged by `STATUSES`.
"""

from __future__ import annotations

from types import MappingProxyType

from understudy.core.faults import Kind, Remedy, Scope
from understudy.providers.base import Manners
from understudy.providers.model_list import read_models
from understudy.providers.quotas import anthropic_quotas
from understudy.providers.rules import Rule, error_reader, fault_reader, says
from understudy.providers.statuses import STATUSES
from understudy.providers.traits import anthropic_traits

__all__ = ["ANTHROPIC", "RULES"]

#: The version that this relay speaks; a caller's own `anthropic-version` wins over it.
_VERSION = "2023-06-01"

_PATHS = MappingProxyType(
    {
        "messages": "/v1/messages",
        "count_tokens": "/v1/messages/count_tokens",
        "models": "/v1/models",
    }
)

_CODES: tuple[Rule, ...] = (
    # A 429 without retry-after; usage pauses until the first of the next month.
    Rule(
        case="the tier's monthly spending cap",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=("enforced_spend_limit_reached",),
        until="month",
    ),
    Rule(
        case="a contract's spending limit",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=("contract_spend_limit_reached",),
    ),
    Rule(
        case="organisation on hold, or its encryption key out of reach",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        codes=(
            "organization_on_hold",
            "claude_code_key_creator_not_member",
            "cmek_context_unavailable",
            "cmek_key_disabled",
            "cmek_key_network_blocked",
            "cmek_key_unreachable",
        ),
    ),
    Rule(
        case="a kind of organisation that may not",
        kind=Kind.CONFIG,
        scope=Scope.ACCOUNT,
        codes=("organization_type_not_supported", "parent_organization_required"),
    ),
    Rule(
        case="usage grows too fast",
        kind=Kind.THROTTLED,
        scope=Scope.ACCOUNT,
        codes=("ramp_limit_exceeded",),
    ),
)

#: All of these come as `invalid_request_error`, mostly under 400: never believed under a 5xx.
_COMPLAINT = (200, 400, 403, 413, 429)

_MESSAGES: tuple[Rule, ...] = (
    # anthropics/claude-code #66314, #91322: also on count_tokens.
    Rule(
        case="credit used up",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        status=_COMPLAINT,
        message=says(r"your credit balance is too low"),
    ),
    # anthropics/claude-code #60648.
    Rule(
        case="organisation disabled",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        status=_COMPLAINT,
        message=says(r"(this|your) organization has been disabled"),
    ),
    # A limit that the customer set; a 429 where the workspace is Claude Code's.
    Rule(
        case="the customer's own spending limit",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        status=_COMPLAINT,
        message=says(r"you have reached your specified ([a-z]+ )?API usage limits"),
        until="date",
    ),
    # Some models are served only where prompts are kept for 30 days: another account may be.
    Rule(
        case="a model that this account's data retention rules out",
        kind=Kind.CONFIG,
        scope=Scope.ACCOUNT,
        status=(200, 400, 403),
        message=says(r"[^\n]{0,200}\bdata[- ]retention\b"),
    ),
    Rule(
        case="blocked by the content policy",
        kind=Kind.REFUSED,
        scope=Scope.REQUEST,
        status=_COMPLAINT,
        message=says(r"(output|input|request) blocked by content filtering policy"),
    ),
    Rule(
        case="too long for this model",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=_COMPLAINT,
        message=says(
            r"prompt is too long",
            r"input length and `?max_tokens`? exceed context limit",
            r"max_tokens: \d+ > \d+",
        ),
    ),
    Rule(
        case="a last turn of the assistant's",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=_COMPLAINT,
        message=says(r"this model does not support assistant message prefill"),
        remedy=Remedy.WITHOUT_PREFILL,
    ),
    # Another model's thinking, another vendor's, or a block that a break left unsigned (extended
    # thinking, "Preserving thinking blocks"; anthropics/claude-code #10627 and #63203,
    # anomalyco/opencode #48637, sst/opencode #3077, tailcallhq/forgecode #1853).
    Rule(
        case="past thinking that it cannot verify",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=_COMPLAINT,
        message=says(
            r"messages\.\d+\.content\.\d+[^\n]{0,60}: invalid `?signature`? in `?thinking`? block",
            r"messages\.\d+\.content\.\d+\.(?:thinking\.)?(?:signature|data): ",
            r"messages\.\d+\.content\.\d+\.type: expected `thinking` or `redacted_thinking`",
            r"(?:messages\.\d+\.content\.\d+: )?`thinking` or `redacted_thinking` blocks in ",
            r"when thinking is disabled, an `assistant` message in the final position cannot",
        ),
        remedy=Remedy.WITHOUT_THINKING,
    ),
    # "`temperature` is deprecated for this model." (BoltAI #410), ""thinking.type.enabled" is not
    # supported for this model" (basiliskLLM #1185), temperature with top_p (BrowserOS #208).
    Rule(
        case="a parameter that this model does not take",
        kind=Kind.ADAPTABLE,
        scope=Scope.REQUEST,
        status=_COMPLAINT,
        message=says(
            r"(?:this model|[`'\"]?claude-[\w.\-]{1,80}[`'\"]?) does not support ",
            r"[^\n]{1,160}\b(?:is|are) (?:deprecated|not (?:supported|available)|no longer "
            r"supported) (?:for|on|by|with) this model",
            r"[^\n]{1,100}\bcannot both be specified for this model",
        ),
    ),
)

_TYPES: tuple[Rule, ...] = (
    Rule(
        case="authentication_error",
        kind=Kind.ACCOUNT,
        scope=Scope.ACCOUNT,
        types=("authentication_error",),
    ),
    # Under 402 by the documentation, and seen under 403.
    Rule(case="billing_error", kind=Kind.ACCOUNT, scope=Scope.ACCOUNT, types=("billing_error",)),
    Rule(
        case="permission_error", kind=Kind.CONFIG, scope=Scope.ACCOUNT, types=("permission_error",)
    ),
    Rule(
        case="not_found_error inside a success",
        kind=Kind.CONFIG,
        scope=Scope.MODEL,
        status=(200,),
        types=("not_found_error",),
    ),
    Rule(
        case="request_too_large",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        types=("request_too_large",),
    ),
    # Without retry-after, `STATUSES` looks for words of money first.
    Rule(
        case="rate_limit_error that says when it ends",
        kind=Kind.THROTTLED,
        scope=Scope.ACCOUNT,
        types=("rate_limit_error",),
        hinted=True,
    ),
    Rule(
        case="rate_limit_error inside a success",
        kind=Kind.THROTTLED,
        scope=Scope.ACCOUNT,
        status=(200,),
        types=("rate_limit_error",),
    ),
    Rule(
        case="overloaded_error", kind=Kind.OVERLOAD, scope=Scope.MODEL, types=("overloaded_error",)
    ),
    Rule(case="timeout_error", kind=Kind.SLOW, scope=Scope.MODEL, types=("timeout_error",)),
    Rule(case="conflict_error", kind=Kind.OUTAGE, scope=Scope.REQUEST, types=("conflict_error",)),
    Rule(case="api_error", kind=Kind.OUTAGE, scope=Scope.MODEL, types=("api_error",)),
    # The broadest word of all: where the status is more exact, the status decides.
    Rule(
        case="invalid_request_error",
        kind=Kind.CALLER,
        scope=Scope.REQUEST,
        status=(200, 400, 422),
        types=("invalid_request_error",),
    ),
)

RULES: tuple[Rule, ...] = (*_CODES, *_MESSAGES, *_TYPES, *STATUSES)


def _authorise(api_key: str | None) -> tuple[tuple[str, str], ...]:
    version = ("anthropic-version", _VERSION)
    return (version,) if api_key is None else (("x-api-key", api_key), version)


ANTHROPIC = Manners(
    kind="anthropic",
    default_base_url="https://api.anthropic.com",
    dialects=("messages",),
    keyless=False,
    path=_PATHS.__getitem__,
    authorise=_authorise,
    forwarded_headers=frozenset({"anthropic-version", "anthropic-beta"}),
    read_fault=fault_reader(RULES),
    read_error=error_reader(RULES),
    traits=anthropic_traits,
    read_quotas=anthropic_quotas,
    # "OTPM limits": counted as it is produced, whatever `max_tokens` is (rate-limits).
    reserves_output=False,
    read_models=read_models,
)
