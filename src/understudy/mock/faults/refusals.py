"""Errors that the vendors answer with, each in both dialects' words where both have it.

Anthropic: https://platform.claude.com/docs/en/api/errors. OpenAI:
https://developers.openai.com/api/docs/guides/error-codes. Wordings that the pages do not give are
those in users' reports. `{model}`, `{key}` and `{next_month}` are filled in when played.
"""

from __future__ import annotations

import datetime as dt
from email.utils import formatdate

import msgspec

from understudy.mock.dialect import DialectName
from understudy.mock.errors import ErrorSpec
from understudy.mock.faults.entry import ANYWHERE, CatalogueEntry
from understudy.mock.faults.scene import Args, Scene
from understudy.mock.reply import Headers, Where
from understudy.mock.script import Script

__all__ = ["ENTRIES"]


def _play(scene: Scene) -> Script:
    """Before the headers, a response of its own; within a stream, an event and no more; in a
    whole answer, an error in the body of a 200.
    """
    spec = _filled(scene)
    if scene.where is not Where.BEFORE_HEADERS and scene.reply.streamed:
        yield from scene.before()
        yield scene.framed(scene.dialect.error_event(spec))
        yield scene.end
        return
    status = spec.status if scene.where is Where.BEFORE_HEADERS else 200
    body = scene.dialect.error_body(spec, scene.request_id)
    yield from scene.instead(status, body, "application/json", _retry_after(scene))


def _filled(scene: Scene) -> ErrorSpec:
    spec = scene.error
    if spec is None:
        raise LookupError(f"no such error in {scene.dialect.name}")
    message = spec.message
    if "{" in message:
        today = dt.datetime.fromtimestamp(scene.now, dt.UTC).date()
        following = (today.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
        message = message.replace("{model}", scene.model).replace(
            "{next_month}", following.isoformat()
        )
    return msgspec.structs.replace(spec, message=message)


def _retry_after(scene: Scene) -> Headers:
    value = scene.args.retry_after
    if value is None or value == "none":
        return ()
    told = formatdate(scene.now + 30, usegmt=True) if value == "date" else value
    return (("retry-after", told),)


def _claude(status: int, kind: str, message: str, *, code: str | None = None) -> ErrorSpec:
    details = {"error_code": code} if code else None
    return ErrorSpec(status=status, type=kind, message=message, details=details)


def _gpt(
    status: int, kind: str, code: str | int | None, message: str, *, param: str | None = None
) -> ErrorSpec:
    return ErrorSpec(status=status, type=kind, code=code, message=message, param=param)


def _entry(
    name: str,
    summary: str,
    claude: ErrorSpec | None = None,
    gpt: ErrorSpec | None = None,
    *,
    retry_after: str | None = None,
    where: Where = Where.BEFORE_HEADERS,
    every: int = 1,
) -> CatalogueEntry:
    dialects: list[DialectName] = []
    dialects += ["messages"] if claude else []
    dialects += ["chat_completions"] if gpt else []
    return CatalogueEntry(
        name=name,
        summary=summary,
        where=where,
        wheres=ANYWHERE,
        dialects=tuple(dialects),
        defaults=Args(retry_after=retry_after),
        argument="retry_after",
        every=every,
        messages=claude,
        chat_completions=gpt,
        play=_play,
    )


_INVALID = "invalid_request_error"
_QUOTA = "insufficient_quota"

_OVERLOADED = (
    _claude(529, "overloaded_error", "Overloaded"),
    _gpt(
        503,
        "service_unavailable_error",
        "server_is_overloaded",
        "Our servers are currently overloaded. Please try again later.",
    ),
)
_INTERNAL = (
    _claude(500, "api_error", "Internal server error"),
    _gpt(
        500,
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
)
_RATE_LIMITED = (
    _claude(
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 400,000 input tokens per "
        "minute (model: {model}). For details, refer to: "
        "https://docs.claude.com/en/api/rate-limits.",
    ),
    _gpt(
        429,
        "tokens",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization understudy-mock on tokens per min (TPM): "
        "Limit 30000, Used 29500, Requested 1200. Please try again in 1.4s. Visit "
        "https://platform.openai.com/account/rate-limits to learn more.",
    ),
)
_GATEWAY_TIMEOUT = _gpt(504, "timeout", None, "Gateway timeout")

_CAPACITY = (
    _entry("overloaded", "The vendor is short of capacity.", *_OVERLOADED),
    _entry("internal_error", "An internal error.", *_INTERNAL),
    _entry(
        "timeout_error",
        "The request took the vendor too long.",
        _claude(504, "timeout_error", "Request timed out"),
        _GATEWAY_TIMEOUT,
    ),
    _entry(
        "conflict",
        "The request conflicts with another.",
        _claude(409, "conflict_error", "The request conflicts with the state of the resource."),
        _gpt(409, "conflict", None, "The resource was updated by another request."),
    ),
    _entry("rate_limited", "A limit of tokens a minute.", *_RATE_LIMITED, retry_after="2"),
    _entry(
        "rate_limited_requests",
        "A limit of requests a minute.",
        None,
        _gpt(
            429,
            "requests",
            "rate_limit_exceeded",
            "Rate limit reached for {model} in organization understudy-mock on requests per min "
            "(RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.",
        ),
        retry_after="1",
    ),
    _entry(
        "workspace_rate_limited",
        "A limit of the workspace.",
        _claude(
            429,
            "rate_limit_error",
            "This request would exceed your workspace's rate limit. Please try again later.",
        ),
        retry_after="60",
    ),
    _entry(
        "slow_down",
        "Traffic grew too fast.",
        _claude(
            429,
            "rate_limit_error",
            "Number of request tokens has exceeded your acceleration limit. Please increase your "
            "usage gradually.",
        ),
        _gpt(
            429,
            "rate_limit_error",
            "slow_down",
            "Your request rate increased too quickly. Please reduce it and increase it gradually.",
        ),
        retry_after="15",
    ),
    _entry(
        "overloaded_mid_stream",
        "The stream breaks off with an overload.",
        *_OVERLOADED,
        where=Where.MID_TEXT,
    ),
    _entry(
        "internal_error_mid_stream",
        "The stream breaks off with an internal error.",
        *_INTERNAL,
        where=Where.MID_TEXT,
    ),
    _entry(
        "rate_limited_mid_stream",
        "The stream breaks off at a rate limit.",
        *_RATE_LIMITED,
        where=Where.MID_TEXT,
    ),
    _entry("flapping", "Overloaded at every second request.", *_OVERLOADED, every=2),
)

_RETRY_AFTER = tuple(
    _entry(
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
    _entry(
        "credit_too_low",
        "The account's credit is used up.",
        _claude(
            400,
            _INVALID,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits.",
        ),
        _gpt(
            429,
            _QUOTA,
            "credit_balance_exhausted",
            "You have no prepaid credits remaining. Add credits in your billing settings.",
        ),
    ),
    _entry(
        "insufficient_quota",
        "The account's quota is used up.",
        None,
        _gpt(
            429,
            _QUOTA,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more "
            "information on this error, read the docs: "
            "https://platform.openai.com/docs/guides/error-codes/api-errors.",
        ),
    ),
    _entry(
        "spend_cap",
        "The month's spend limit is reached; no retry-after.",
        _claude(
            429,
            "rate_limit_error",
            "This organization has reached its enforced monthly spend limit.",
            code="enforced_spend_limit_reached",
        ),
        _gpt(
            429,
            _QUOTA,
            "organization_spend_limit_exceeded",
            "Your organization reached its enforced monthly spend limit.",
        ),
    ),
    _entry(
        "usage_limit_reached",
        "The usage limit is reached; access comes back next month.",
        _claude(
            400,
            _INVALID,
            "You have reached your specified API usage limits. You will regain access on "
            "{next_month} at 00:00 UTC.",
        ),
        _gpt(
            429,
            _QUOTA,
            "organization_usage_limit_exceeded",
            "Your organization reached its assigned monthly usage limit.",
        ),
    ),
    _entry(
        "workspace_limit_reached",
        "The limit of the workspace, or project, is reached.",
        _claude(
            400,
            _INVALID,
            "You have reached your specified workspace API usage limits. You will regain access "
            "on {next_month} at 00:00 UTC.",
        ),
        _gpt(
            429,
            _QUOTA,
            "project_spend_limit_exceeded",
            "Your project reached its enforced monthly spend limit.",
        ),
    ),
    _entry(
        "billing_error",
        "Trouble with the bill.",
        _claude(402, "billing_error", "There is an issue with your billing information."),
    ),
    _entry(
        "key_revoked",
        "The key is not valid any more.",
        _claude(401, "authentication_error", "invalid x-api-key"),
        _gpt(
            401,
            _INVALID,
            "invalid_api_key",
            "Incorrect API key provided. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
        ),
    ),
    _entry(
        "organization_disabled",
        "The organization, or account, is shut off.",
        _claude(400, _INVALID, "This organization has been disabled."),
        _gpt(
            401,
            _INVALID,
            "account_deactivated",
            "The OpenAI account associated with this API key has been deactivated. Please check "
            "your email for more information.",
        ),
    ),
    _entry(
        "not_a_member",
        "The key's owner belongs to no organization.",
        None,
        _gpt(401, _INVALID, None, "You must be a member of an organization to use the API"),
    ),
    _entry(
        "ip_not_authorized",
        "The address is not on the account's list.",
        None,
        _gpt(
            401, _INVALID, "ip_not_authorized", "Your IP address is not authorized to access this."
        ),
    ),
    _entry(
        "permission_denied",
        "The key may not use this.",
        _claude(
            403, "permission_error", "Your API key does not have permission to use this resource."
        ),
        _gpt(
            403, _INVALID, "insufficient_permissions",
            "You have insufficient permissions for this operation.",
        ),
    ),
    _entry(
        "region_unsupported",
        "Not from this country.",
        None,
        _gpt(
            403,
            "request_forbidden",
            "unsupported_country_region_territory",
            "Country, region, or territory not supported",
        ),
    ),
    _entry(
        "retention_required",
        "The model is not for accounts that keep no data.",
        _claude(
            400,
            _INVALID,
            "{model} is not available for organizations with zero data retention.",
        ),
    ),
)  # fmt: skip

_REQUEST = (
    _entry(
        "model_not_found",
        "No such model, or not for this key.",
        _claude(404, "not_found_error", "model: {model}"),
        _gpt(
            404,
            _INVALID,
            "model_not_found",
            "The model `{model}` does not exist or you do not have access to it.",
        ),
    ),
    _entry(
        "invalid_request",
        "Something in the request is wrong.",
        _claude(400, _INVALID, "messages.0.content: Input should be a valid list"),
        _gpt(
            400,
            _INVALID,
            "invalid_value",
            "Invalid value: 'nobody'. Supported values are: 'system', 'assistant', 'user', "
            "'function', 'tool', and 'developer'.",
            param="messages[0].role",
        ),
    ),
    _entry(
        "unsupported_parameter",
        "The model does not take a parameter.",
        _claude(400, _INVALID, "`temperature` is deprecated for this model."),
        _gpt(
            400,
            _INVALID,
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            param="max_tokens",
        ),
    ),
    _entry(
        "prefill_refused",
        "The model does not go on with a turn of its own.",
        _claude(
            400,
            _INVALID,
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message.",
        ),
    ),
    _entry(
        "context_too_long",
        "The prompt is longer than the model's context.",
        _claude(400, _INVALID, "prompt is too long: 203412 tokens > 200000 maximum"),
        _gpt(
            400,
            _INVALID,
            "context_length_exceeded",
            "This model's maximum context length is 128000 tokens. However, your messages resulted "
            "in 130174 tokens. Please reduce the length of the messages.",
            param="messages",
        ),
    ),
    _entry(
        "request_too_large",
        "The body is too large for the API.",
        _claude(413, "request_too_large", "Request exceeds the maximum size"),
        _gpt(413, _INVALID, None, "Request body is too large"),
    ),
    _entry(
        "content_filter",
        "The prompt is refused before the model sees it.",
        _claude(400, _INVALID, "Output blocked by content filtering policy"),
        _gpt(
            400,
            _INVALID,
            "content_filter",
            "The response was filtered due to the prompt triggering the content management "
            "policy. Please modify your prompt and retry.",
            param="prompt",
        ),
    ),
)

ENTRIES = (*_CAPACITY, *_RETRY_AFTER, *_ACCOUNT, *_REQUEST)
