"""Every row of Anthropic's table, by a reply that was documented or reported."""

import pytest

from understudy.core.faults import OUTAGE_LIKE, Kind, Scope
from understudy.providers.anthropic import ANTHROPIC, RULES
from understudy.providers.evidence import of_reply
from understudy.providers.rules import ruling
from understudy.providers.statuses import STATUSES
from unit.providers.provider_replies import NOW, anthropic_error, sample

A, C, R, M = Scope.ACCOUNT, Scope.PROVIDER, Scope.REQUEST, Scope.MODEL
INVALID = "invalid_request_error"

SAMPLES = [
    sample(
        "the tier's monthly spending cap",
        "spend cap, no retry-after: until the first of December",
        429,
        anthropic_error("rate_limit_error", "limit", "enforced_spend_limit_reached"),
        Kind.ACCOUNT,
        A,
        retry_after=15.5 * 86_400,
        code="enforced_spend_limit_reached",
    ),
    sample(
        "a contract's spending limit",
        "contract spend limit",
        429,
        anthropic_error("rate_limit_error", "limit", "contract_spend_limit_reached"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "organisation on hold, or its encryption key out of reach",
        "organisation on hold",
        403,
        anthropic_error("permission_error", "on hold", "organization_on_hold"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "organisation on hold, or its encryption key out of reach",
        "encryption key out of reach is no outage, even as a 500",
        500,
        anthropic_error("api_error", "unreachable", "cmek_key_unreachable"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "a kind of organisation that may not",
        "organisation type",
        403,
        anthropic_error("permission_error", "no", "organization_type_not_supported"),
        Kind.CONFIG,
        A,
    ),
    sample(
        "usage grows too fast",
        "ramp limit",
        429,
        anthropic_error("rate_limit_error", "ramp", "ramp_limit_exceeded"),
        Kind.THROTTLED,
        A,
        headers={"retry-after": "12"},
        retry_after=12.0,
    ),
    sample(
        "credit used up",
        "credit balance too low, as a 400",
        400,
        anthropic_error(
            INVALID,
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & "
            "Billing to upgrade or purchase credits.",
        ),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "organisation disabled",
        "organisation disabled, as a 400",
        400,
        anthropic_error(INVALID, "This organization has been disabled."),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "organisation disabled",
        "organisation disabled, as a 403",
        403,
        anthropic_error("permission_error", "This organization has been disabled."),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "the customer's own spending limit",
        "own spending limit, with its date",
        400,
        anthropic_error(
            INVALID,
            "You have reached your specified API usage limits. You will regain access on "
            "2026-12-01 at 00:00 UTC.",
        ),
        Kind.ACCOUNT,
        A,
        retry_after=15.5 * 86_400,
    ),
    sample(
        "the customer's own spending limit",
        "the workspace's spending limit, as a 429",
        429,
        anthropic_error(
            "rate_limit_error",
            "You have reached your specified workspace API usage limits. You will regain access "
            "on 2026-11-16 at 06:30 UTC.",
        ),
        Kind.ACCOUNT,
        A,
        retry_after=18.5 * 3_600,
    ),
    sample(
        "a model that this account's data retention rules out",
        "data retention",
        400,
        anthropic_error(INVALID, "claude-fable-5 is not available with zero data retention."),
        Kind.CONFIG,
        A,
    ),
    sample(
        "blocked by the content policy",
        "output blocked",
        400,
        anthropic_error(INVALID, "Output blocked by content filtering policy"),
        Kind.REFUSED,
        R,
    ),
    sample(
        "too long for this model",
        "prompt too long",
        400,
        anthropic_error(INVALID, "prompt is too long: 208310 tokens > 200000 maximum"),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "too long for this model",
        "prompt and answer together too long",
        400,
        anthropic_error(
            INVALID, "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"
        ),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "too long for this model",
        "max_tokens above the model's",
        400,
        anthropic_error(
            INVALID,
            "max_tokens: 300000 > 64000, which is the maximum allowed number of output tokens "
            "for claude-haiku-4-5",
        ),
        Kind.ADAPTABLE,
        R,
    ),
    sample(
        "a last turn of the assistant's",
        "prefill refused",
        400,
        anthropic_error(
            INVALID,
            "This model does not support assistant message prefill. The conversation must end "
            "with a user message.",
        ),
        Kind.ADAPTABLE,
        R,
    ),
    *(
        sample(
            "past thinking that it cannot verify",
            message[:60],
            400,
            anthropic_error(INVALID, message),
            Kind.ADAPTABLE,
            R,
        )
        for message in (
            "messages.1.content.0: Invalid `signature` in `thinking` block",
            "messages.3.content.0.thinking.signature: Field required",
            "messages.1.content.0: Invalid signature in thinking block. The block is bound to ...",
            "`thinking` or `redacted_thinking` blocks in the latest assistant message ...",
            "When thinking is disabled, an `assistant` message in the final position cannot ...",
            (
                "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                "`tool_use`. When `thinking` is enabled, a final `assistant` message must start "
                "with a thinking block"
            ),
        )
    ),
    *(
        sample(
            "a parameter that this model does not take",
            message[:40],
            400,
            anthropic_error(INVALID, message),
            Kind.ADAPTABLE,
            R,
        )
        for message in (
            "`temperature` is deprecated for this model.",
            '"thinking.type.enabled" is not supported for this model. Use ...',
            "`temperature` and `top_p` cannot both be specified for this model. Please ...",
            "'claude-3-5-haiku-20241022' does not support thinking.",
        )
    ),
    sample(
        "authentication_error",
        "a revoked key",
        401,
        anthropic_error("authentication_error", "invalid x-api-key"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "billing_error", "billing", 402, anthropic_error("billing_error", "pay"), Kind.ACCOUNT, A
    ),
    sample(
        "billing_error",
        "billing under 403",
        403,
        anthropic_error("billing_error", "pay"),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "permission_error",
        "no permission",
        403,
        anthropic_error("permission_error", "Your API key does not have permission."),
        Kind.CONFIG,
        A,
    ),
    sample(
        "not_found_error inside a success",
        "an unknown model, told in a stream",
        200,
        anthropic_error("not_found_error", "model: claude-opus-9"),
        Kind.CONFIG,
        M,
    ),
    sample(
        "no such model",
        "a retired model",
        404,
        anthropic_error("not_found_error", "model: claude-3-opus-20240229"),
        Kind.CONFIG,
        M,
    ),
    sample(
        "no such path",
        "a wrong path",
        404,
        anthropic_error("not_found_error", "Not Found"),
        Kind.CONFIG,
        C,
    ),
    sample(
        "request_too_large",
        "too large",
        413,
        anthropic_error("request_too_large", "Request exceeds the maximum allowed bytes"),
        Kind.CALLER,
        R,
    ),
    sample(
        "rate_limit_error that says when it ends",
        "rate limit",
        429,
        anthropic_error("rate_limit_error", "This request would exceed your rate limit"),
        Kind.THROTTLED,
        A,
        headers={"retry-after": "37"},
        retry_after=37.0,
    ),
    sample(
        "rate_limit_error inside a success",
        "rate limit in a stream",
        200,
        anthropic_error("rate_limit_error", "Rate limited"),
        Kind.THROTTLED,
        A,
    ),
    sample(
        "throttled",
        "a rate limit without retry-after and without a word of money",
        429,
        anthropic_error("rate_limit_error", "Number of requests has exceeded your limit"),
        Kind.THROTTLED,
        A,
    ),
    sample(
        "the money is spent",
        "a 429 without retry-after that speaks of a spending limit",
        429,
        anthropic_error("rate_limit_error", "Your workspace has hit its spend limit."),
        Kind.ACCOUNT,
        A,
    ),
    sample(
        "overloaded_error",
        "overloaded",
        529,
        anthropic_error("overloaded_error", "Overloaded"),
        Kind.OVERLOAD,
        M,
        code="overloaded_error",
    ),
    sample(
        "overloaded_error",
        "overloaded, inside a 200",
        200,
        anthropic_error("overloaded_error", "Overloaded"),
        Kind.OVERLOAD,
        M,
    ),
    sample("timeout_error", "timeout", 504, anthropic_error("timeout_error", "slow"), Kind.SLOW, M),
    sample(
        "conflict_error",
        "conflict",
        409,
        anthropic_error("conflict_error", "changed meanwhile"),
        Kind.OUTAGE,
        R,
    ),
    sample(
        "api_error",
        "internal error",
        500,
        anthropic_error("api_error", "Internal server error"),
        Kind.OUTAGE,
        M,
    ),
    sample(
        "invalid_request_error",
        "a malformed request",
        400,
        anthropic_error(INVALID, "messages.0.role: Input should be 'user' or 'assistant'"),
        Kind.CALLER,
        R,
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_a_reply_is_taken_for_what_it_is(sample):
    fault = ANTHROPIC.read_fault(sample.reply())
    assert (fault.kind, fault.scope) == (sample.kind, sample.scope)
    assert fault.retry_after == sample.retry_after
    assert fault.status == sample.status
    assert sample.code in {None, fault.code}
    assert ruling(RULES, of_reply(sample.reply())).case == sample.case


def test_every_row_of_the_table_has_its_sample():
    own = {rule.case for rule in RULES} - {rule.case for rule in STATUSES}
    assert own - {sample.case for sample in SAMPLES} == set()


def test_cases_are_named_once():
    cases = [rule.case for rule in RULES]
    assert len(cases) == len(set(cases))


@pytest.mark.parametrize(
    "quoted",
    [
        "Your credit balance is too low to access the Anthropic API.",
        "This organization has been disabled.",
        "You have reached your specified API usage limits.",
    ],
)
def test_a_request_that_quotes_trouble_with_an_account_stays_the_callers(quoted):
    body = anthropic_error(INVALID, f"messages.0.content.0.text: unexpected value '{quoted}'")
    reply = sample("", "", 400, body, Kind.CALLER, R).reply()
    assert ANTHROPIC.read_fault(reply).kind is Kind.CALLER


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.kind is Kind.ACCOUNT], ids=lambda s: s.name
)
def test_trouble_with_an_account_is_never_an_outage(sample):
    assert ANTHROPIC.read_fault(sample.reply()).kind not in OUTAGE_LIKE


def test_an_error_inside_a_stream_is_read_by_the_same_table():
    event = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    fault = ANTHROPIC.read_error(event)
    assert (fault.kind, fault.status, fault.message) == (Kind.OVERLOAD, 200, "Overloaded")


def test_the_inner_object_alone_is_read_as_well():
    fault = ANTHROPIC.read_error(b'{"type":"rate_limit_error","message":"slow down"}')
    assert (fault.kind, fault.code) == (Kind.THROTTLED, "rate_limit_error")


def test_a_type_that_nobody_knows_inside_a_stream_is_an_outage_of_that_model():
    fault = ANTHROPIC.read_error(b'{"type":"error","error":{"type":"new_error","message":"x"}}')
    assert (fault.kind, fault.scope) == (Kind.OUTAGE, M)


def test_a_date_that_has_passed_asks_for_no_wait():
    body = anthropic_error(
        INVALID,
        "You have reached your specified API usage limits. You will regain access on 2026-11-01.",
    )
    assert ANTHROPIC.read_fault(sample("", "", 400, body, "", "").reply()).retry_after == 0.0


@pytest.mark.parametrize("date", ["2026-13-41", "0000-00-00", "not-a-date", "2026-12-01 at 99:99"])
def test_a_date_that_is_none_asks_for_no_known_wait(date):
    text = f"You have reached your specified API usage limits. You will regain access on {date}"
    body = anthropic_error(INVALID, text)
    assert ANTHROPIC.read_fault(sample("", "", 400, body, "", "").reply()).retry_after is None


def test_december_ends_in_the_next_year():
    body = anthropic_error("rate_limit_error", "", "enforced_spend_limit_reached")
    reply = sample("", "", 429, body, "", "").reply()
    late = NOW + 30 * 86_400  # 15 December 2026, 12:00
    from_december = ANTHROPIC.read_fault(
        type(reply)(status=429, headers={}, body=reply.body, now=late)
    )
    assert from_december.retry_after == 16.5 * 86_400
