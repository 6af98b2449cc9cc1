"""What the vendors say when they cannot, or will not, serve: capacity, limits, accounts."""

from __future__ import annotations

from understudy.mock.faults.vendor_error import INVALID, claude, entry, gpt
from understudy.mock.reply import Where

__all__ = ["ENTRIES"]

_QUOTA = "insufficient_quota"

_OVERLOADED = (
    claude(529, "overloaded_error", "Overloaded"),
    gpt(
        503,
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
)
_INTERNAL = (
    claude(500, "api_error", "Internal server error"),
    gpt(
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
)
_RATE_LIMITED = (
    claude(
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 400,000 input tokens per "
        "minute (model: {model}). For details, refer to: "
        "https://docs.claude.com/en/api/rate-limits.",
    ),
    gpt(
        429,
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization understudy-mock on tokens per min (TPM): "
        "Limit 30000, Used 29500, Requested 1200. Please try again in 1.4s. Visit "
        "https://platform.openai.com/account/rate-limits to learn more.",
    ),
)
_GATEWAY_TIMEOUT = gpt(504, "timeout", None, "Gateway timeout")

_CAPACITY = (
    entry("overloaded", "The vendor is short of capacity.", *_OVERLOADED),
    entry("internal_error", "An internal error.", *_INTERNAL),
    entry(
        "timeout_error",
        "The request took the vendor too long.",
        claude(504, "timeout_error", "Request timed out"),
        _GATEWAY_TIMEOUT,
    ),
    entry(
        "conflict",
        "The request conflicts with another.",
        claude(409, "conflict_error", "The request conflicts with the state of the resource."),
        gpt(409, "conflict", None, "The resource was updated by another request."),
    ),
    entry("rate_limited", "A limit of tokens a minute.", *_RATE_LIMITED, retry_after="2"),
    entry(
        "rate_limited_requests",
        "A limit of requests a minute.",
        None,
        gpt(
            429,
            "requests",
            "rate_limit_exceeded",
            "Rate limit reached for {model} in organization understudy-mock on requests per min "
            "(RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.",
        ),
        retry_after="1",
    ),
    entry(
        "workspace_rate_limited",
        "A limit of the workspace.",
        claude(
            429,
            "rate_limit_error",
            "This request would exceed your workspace's rate limit. Please try again later.",
        ),
        retry_after="60",
    ),
    entry(
        "slow_down",
        "Traffic grew too fast.",
        claude(
            429,
            "rate_limit_error",
            "Number of request tokens has exceeded your acceleration limit. Please increase your "
            "usage gradually.",
        ),
        gpt(
            429,
            "rate_limit_error",
            "slow_down",
            "Your request rate increased too quickly. Please reduce it and increase it gradually.",
        ),
        retry_after="15",
    ),
    entry(
        "overloaded_mid_stream",
        "The stream breaks off with an overload.",
        *_OVERLOADED,
        where=Where.MID_TEXT,
    ),
    entry(
        "internal_error_mid_stream",
        "The stream breaks off with an internal error.",
        *_INTERNAL,
        where=Where.MID_TEXT,
    ),
    entry(
        "rate_limited_mid_stream",
        "The stream breaks off at a rate limit.",
        *_RATE_LIMITED,
        where=Where.MID_TEXT,
    ),
    entry("flapping", "Overloaded at every second request.", *_OVERLOADED, every=2),
)

_RETRY_AFTER = tuple(
    entry(
        f"retry_after_{name}",
        f"A rate limit whose retry-after {told}.",
        *_RATE_LIMITED,
        retry_after=value,
    )
    for name, told, value in (
        ("missing", "is missing", "none"),
        ("zero", "is 0", "0"),
        ("negative", "is negative", "-5"),
        ("date", "is a date, 30 s from now", "date"),
        ("10h", "is ten hours", "36000"),
        ("garbage", "makes no sense", "soon-ish"),
    )
)

_ACCOUNT = (
    entry(
        "credit_too_low",
        "The account's credit is used up.",
        claude(
            400,
            INVALID,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits.",
        ),
        gpt(
            429,
            _QUOTA,
            "credit_balance_exhausted",
            "You have no prepaid credits remaining. Add credits in your billing settings.",
        ),
    ),
    entry(
        "insufficient_quota",
        "The account's quota is used up.",
        None,
        gpt(
            429,
            _QUOTA,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more "
            "information on this error, read the docs: "
            "https://platform.openai.com/docs/guides/error-codes/api-errors.",
        ),
    ),
    entry(
        "spend_cap",
        "The month's spend limit is reached; no retry-after.",
        claude(
            429,
            "rate_limit_error",
            "This organization has reached its enforced monthly spend limit.",
            code="enforced_spend_limit_reached",
        ),
        gpt(
            429,
            _QUOTA,
            "organization_spend_limit_exceeded",
            "Your organization reached its enforced monthly spend limit.",
        ),
    ),
    entry(
        "usage_limit_reached",
        "The usage limit is reached; access comes back next month.",
        claude(
            400,
            INVALID,
            "You have reached your specified API usage limits. You will regain access on "
            "{next_month} at 00:00 UTC.",
        ),
        gpt(
            429,
            _QUOTA,
            "organization_usage_limit_exceeded",
            "Your organization reached its assigned monthly usage limit.",
        ),
    ),
    entry(
        "workspace_limit_reached",
        "The limit of the workspace, or project, is reached.",
        claude(
            400,
            INVALID,
            "You have reached your specified workspace API usage limits. You will regain access "
            "on {next_month} at 00:00 UTC.",
        ),
        gpt(
            429,
            _QUOTA,
            "project_spend_limit_exceeded",
            "Your project reached its enforced monthly spend limit.",
        ),
    ),
    entry(
        "billing_error",
        "Trouble with the bill.",
        claude(402, "billing_error", "There is an issue with your billing information."),
    ),
    entry(
        "key_revoked",
        "The key is not valid any more.",
        claude(401, "authentication_error", "invalid x-api-key"),
        gpt(
            401,
            INVALID,
            "invalid_api_key",
            "Incorrect API key provided. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
        ),
    ),
    entry(
        "organization_disabled",
        "The organization, or account, is shut off.",
        claude(400, INVALID, "This organization has been disabled."),
        gpt(
            401,
            INVALID,
            "account_deactivated",
            "The OpenAI account associated with this API key has been deactivated. Please check "
            "your email for more information.",
        ),
    ),
    entry(
        "not_a_member",
        "The key's owner belongs to no organization.",
        None,
        gpt(401, INVALID, None, "You must be a member of an organization to use the API"),
    ),
    entry(
        "ip_not_authorized",
        "The address is not on the account's list.",
        None,
        gpt(
            401, INVALID, "ip_not_authorized", "Your IP address is not authorized to access this."
        ),
    ),
    entry(
        "permission_denied",
        "The key may not use this.",
        claude(
            403, "permission_error", "Your API key does not have permission to use this resource."
        ),
        gpt(
            403, INVALID, "insufficient_permissions",
            "You have insufficient permissions for this operation.",
        ),
    ),
    entry(
        "region_unsupported",
        "Not from this country.",
        None,
        gpt(
            403,
            "request_forbidden",
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
        ),
    ),
    entry(
        "retention_required",
        "The model is not for accounts that keep no data.",
        claude(
            400,
            INVALID,
            "{model} is not available for organizations with zero data retention.",
        ),
    ),
)  # fmt: skip

ENTRIES = (*_CAPACITY, *_RETRY_AFTER, *_ACCOUNT)
