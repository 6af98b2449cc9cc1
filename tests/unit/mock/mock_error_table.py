"""Errors of the catalogue, as each vendor must be seen to word them."""
# ruff: noqa: E501 - a row of a table stands on one line

NEXT_MONTH = "2026-12-01"

#: name: (status, type, code or None) as Anthropic gives it, and as OpenAI gives it.
ERRORS = {
    "overloaded": ((529, "overloaded_error", None), (503, "service_unavailable_error", "server_is_overloaded")),
    "internal_error": ((500, "api_error", None), (500, "server_error", None)),
    "timeout_error": ((504, "timeout_error", None), (504, "timeout", None)),
    "conflict": ((409, "conflict_error", None), (409, "conflict", None)),
    "rate_limited": ((429, "rate_limit_error", None), (429, "tokens", "rate_limit_exceeded")),
    "rate_limited_requests": (None, (429, "requests", "rate_limit_exceeded")),
    "workspace_rate_limited": ((429, "rate_limit_error", None), None),
    "slow_down": ((429, "rate_limit_error", None), (429, "rate_limit_error", "slow_down")),
    "credit_too_low": ((400, "invalid_request_error", None), (429, "insufficient_quota", "credit_balance_exhausted")),
    "insufficient_quota": (None, (429, "insufficient_quota", "insufficient_quota")),
    "spend_cap": ((429, "rate_limit_error", "enforced_spend_limit_reached"), (429, "insufficient_quota", "organization_spend_limit_exceeded")),
    "usage_limit_reached": ((400, "invalid_request_error", None), (429, "insufficient_quota", "organization_usage_limit_exceeded")),
    "workspace_limit_reached": ((400, "invalid_request_error", None), (429, "insufficient_quota", "project_spend_limit_exceeded")),
    "billing_error": ((402, "billing_error", None), None),
    "key_revoked": ((401, "authentication_error", None), (401, "invalid_request_error", "invalid_api_key")),
    "organization_disabled": ((400, "invalid_request_error", None), (401, "invalid_request_error", "account_deactivated")),
    "not_a_member": (None, (401, "invalid_request_error", None)),
    "ip_not_authorized": (None, (401, "invalid_request_error", "ip_not_authorized")),
    "permission_denied": ((403, "permission_error", None), (403, "invalid_request_error", "insufficient_permissions")),
    "region_unsupported": (None, (403, "request_forbidden", "unsupported_country_region_territory")),
    "retention_required": ((400, "invalid_request_error", None), None),
    "model_not_found": ((404, "not_found_error", None), (404, "invalid_request_error", "model_not_found")),
    "invalid_request": ((400, "invalid_request_error", None), (400, "invalid_request_error", "invalid_value")),
    "unsupported_parameter": ((400, "invalid_request_error", None), (400, "invalid_request_error", "unsupported_parameter")),
    "prefill_refused": ((400, "invalid_request_error", None), None),
    "no_prefill": ((400, "invalid_request_error", None), (400, "invalid_request_message_order", "3230")),
    "context_too_long": ((400, "invalid_request_error", None), (400, "invalid_request_error", "context_length_exceeded")),
    "request_too_large": ((413, "request_too_large", None), (413, "invalid_request_error", None)),
    "content_filter": ((400, "invalid_request_error", None), (400, "invalid_request_error", "content_filter")),
}  # fmt: skip
#: Where Responses answers otherwise than chat completions does.
RESPONSES = {
    "model_not_found": (400, "invalid_request_error", "model_not_found"),
    "unsupported_parameter": (400, "invalid_request_error", None),
}
#: What the wording must hold, where readers of faults go by it.
WORDS = {
    "credit_too_low": (
        "Your credit balance is too low to access the Anthropic API",
        "prepaid credits",
    ),
    "organization_disabled": ("This organization has been disabled.", "has been deactivated"),
    "usage_limit_reached": (f"You will regain access on {NEXT_MONTH} at 00:00 UTC", "usage limit"),
    "workspace_limit_reached": (
        f"workspace API usage limits. You will regain access on {NEXT_MONTH}",
        "project",
    ),
    "prefill_refused": ("does not support assistant message prefill", ""),
    "no_prefill": (
        "prefill. The conversation must end with a user message.",
        "Expected last role User or Tool",
    ),
    "model_not_found": (
        "model: claude-sonnet-5",
        "The model `gpt-4o` does not exist",
        "The requested model 'gpt-4o' does not exist.",
    ),
    "context_too_long": (
        "prompt is too long: ",
        "maximum context length is",
        "exceeds the context window of this model",
    ),
    "retention_required": ("claude-sonnet-5 is not available", ""),
}
RETRY_AFTER = {
    "rate_limited": "2",
    "rate_limited_requests": "1",
    "workspace_rate_limited": "60",
    "slow_down": "15",
    "retry_after_zero": "0",
    "retry_after_negative": "-5",
    "retry_after_date": "Wed, 18 Nov 2026 11:07:10 GMT",
    "retry_after_10h": "36000",
    "retry_after_garbage": "soon-ish",
}
